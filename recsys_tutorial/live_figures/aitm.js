// AITM along a chain: how rare paying is, whom its tower listens to, and what comes of it.
"use strict";

recsysLive.figure("aitm", (() => {
  const { math } = recsysLive;

  // The last step at one rate of paying: Eqs. (4) to (6), the maps multiplied out.
  const compute = (data, { rate, heard }) => {
    const score = (u) => math.dot(u, math.times(data.scores[rate], u)), output = data.outputs[rate];
    const weights = data.own[rate].map((own, i) => {
      if (heard) return heard === 1 ? 0 : 1;
      return math.softmax([score(data.passed[rate][i]), score(own)])[0];
    });
    const logits = weights.map((w, i) => (
      w * math.dot(output, data.passed[rate][i]) + (1 - w) * math.dot(output, data.own[rate][i]) + data.bias[rate]));
    const truth = data.truth[rate];
    let right = 0, all = 0;  // pairs of people, one of whom is likelier to pay
    truth.forEach((a, i) => truth.forEach((b, j) => {
      if (a > b) { all += 1; right += logits[i] > logits[j] ? 1 : 0; }
    }));
    return { weights, logits, pairs: right / all };
  };

  const log10 = (logit) => -Math.log10(1 + Math.exp(-logit));  // of the probability
  const wrong = (logits, carts) => logits.filter((logit, i) => logit > carts[i]).length;

  const rateOf = (data, r) => `${Math.round(100 * data.words.rates[r])}%`;
  const power = (v) => (v ? `10⁻${"⁰¹²³⁴⁵⁶⁷⁸⁹"[-v]}` : "1");
  const towers = { zh: ["加购塔给点击", "付款塔给加购"], en: ["cart tower → click", "payment tower → cart"] };

  return {
    question: { zh: "付款很少见，付款塔听谁的？", en: "Payments are rare: whom does their tower listen to?" },
    predict: { zh: "加购后的付款率从 5% 升到 50%，哪座塔给前一步的权重会变？再让付款塔只用自己的向量，会怎样？", en: "let half of all carts be paid for instead of one in twenty: which tower's weight on the step before changes? And if the payment tower uses only itself?" },
    source: {
      zh: "四个付款率各训练了一个 AITM；四十个人的最后一步（打分、softmax、混合、概率）在网页里现算，拆掉一条路时不重新训练。这是图 1 那一个世界，各世界的平均看图 3。",
      en: "An AITM was trained at each of four rates of paying; the last step of forty people (scores, softmax, mixture, probability) is computed in this page. Nothing is retrained when you switch a path off. This is the one world of Figure 1; for the mean over worlds see Figure 3.",
    },
    handles: (data) => [
      { name: "rate", kind: "range", min: 0, max: data.words.rates.length - 1, label: { zh: "加购以后付款的比例（越往右越少）", en: "Share of carts paid for (rarer →)" }, text: (v) => rateOf(data, v) },
      {
        name: "heard", kind: "choice", label: { zh: "付款塔用", en: "Payment tower uses" },
        options: [{ zh: "两者，按学到的权重", en: "both, as learnt" }, { zh: "只用自己", en: "only itself" }, { zh: "只用前一步（加购）", en: "only the step before (cart)" }],
      },
    ],
    states: (data) => [
      { label: { zh: "付款稀少", en: "payments rare" }, state: { rate: data.words.rates.length - 1, heard: 0 } },
      { label: { zh: "付款常见", en: "payments common" }, state: { rate: 0, heard: 0 } },
      { label: { zh: "稀少，却只用自己", en: "rare, only itself" }, state: { rate: data.words.rates.length - 1, heard: 1 } },
    ],
    compute,
    draw: ({ weights, logits }, { rate }, kit, data) => {
      const wide = kit.width > 560 ? kit.width / 2 - 14 : kit.width;
      const row = (values, y, colour, t) => [
        { dots: values.map((w, i) => [w, y + (i % 9 - 4) / 20]), colour, size: 3 },
        { line: [[math.mean(values), y - 0.35], [math.mean(values), y + 0.35]] },
        { words: { zh: `${towers.zh[t]}：平均 ${kit.number(math.mean(values))}`, en: `${towers.en[t]}: mean ${kit.number(math.mean(values))}` }, at: [0, y + 0.42], colour },
      ];
      const carts = data.carts[rate], points = logits.map((logit, i) => [Math.max(log10(carts[i]), -7), Math.max(log10(logit), -9)]);
      const part = (above) => points.filter((_, i) => logits[i] > carts[i] === above);
      return kit.beside(kit.plot({
        x: { low: 0, high: 1, ticks: [0, 0.5, 1], digits: 1, label: { zh: "权重", en: "weight" } }, y: { low: -0.6, high: 1.7, ticks: [], label: { zh: "每个人给前一步的权重", en: "Each person's weight on the step before" } }, wide,
        label: { zh: "两座塔给前一步的权重，一个点是一个人", en: "The weights of two towers, a dot for each person" },
        marks: [...row(data.cart_weights[rate], 1, "blue", 0), ...row(weights, 0, "rust", 1)],
      }), kit.plot({
        x: { low: -7, high: 0, ticks: [-6, -4, -2, 0], text: power, label: { zh: "预测的加购概率（对数轴）", en: "predicted p(cart), log axis" } },
        y: { low: -9, high: 0, ticks: [-8, -6, -4, -2, 0], text: power, label: { zh: "预测的付款概率（对数轴）", en: "Predicted p(pay), log axis" } }, wide,
        label: { zh: `四十个人里 ${part(true).length} 个越过对角线`, en: `${part(true).length} of forty people above the diagonal` },
        marks: [{ line: [[-7, -7], [0, 0]], colour: "grey" }, { dots: part(false), colour: "blue" }, { dots: part(true), colour: "gold", name: { zh: "违序：付款比加购更可能", en: "out of order: paying likelier than a cart" } }],
      })) + kit.bars(data.words.rates.map((_, r) => {
        const value = math.mean(compute(data, { rate: r, heard: 0 }).weights);
        return { label: rateOf(data, r), value, strong: r === rate };
      }), { colour: "rust", title: { zh: "付款塔学到的、给加购的平均权重，按付款率", en: "Mean weight on the cart, as the payment tower learnt it, by rate" } });
    },
    say: ({ weights, logits, pairs }, { rate, heard }, kit, data) => {
      const n = wrong(logits, data.carts[rate]), w = kit.number(math.mean(weights)), p = kit.percent(pairs), at = rateOf(data, rate);
      const learnt = compute(data, { rate, heard: 0 }), m = wrong(learnt.logits, data.carts[rate]), q = kit.percent(learnt.pairs);
      const way = [
        { zh: `付款塔平均把 ${w} 的权重给了加购`, en: `the payment tower puts ${w} of its weight on the cart, on average` },
        { zh: "付款塔只用自己", en: "the payment tower uses only itself" }, { zh: "付款塔只用加购", en: "the payment tower uses only the cart" },
      ][heard];
      return {
        zh: `加购后 ${at} 付款：${way.zh}。四十个人里有 ${n} 个，预测的付款概率高过加购概率${heard ? `（照学到的权重是 ${m} 个）` : ""}；两人一比，谁更可能付款，排对 ${p}${heard ? `（原来 ${q}）` : ""}。`,
        en: `${at} of carts are paid for: ${way.en}. ${n} of forty people are predicted likelier to pay than to put in the cart${heard ? ` (as learnt: ${m})` : ""}; of pairs, ${p} are ranked right by who is likelier to pay${heard ? ` (as learnt: ${q})` : ""}.`,
      };
    },
  };
})());
