// AITM along a chain: how rare paying is, whom its step listens to, and what comes of it.
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

  const mean = (x) => math.sum(x) / x.length;
  const log10 = (logit) => -Math.log10(1 + Math.exp(-logit));  // of the probability
  const wrong = (logits, carts) => logits.filter((logit, i) => logit > carts[i]).length;

  return {
    question: { zh: "付款越稀少，它越听前一步的吗？", en: "The rarer payments are, does their step lean more on the one before?" },
    predict: { zh: "加购以后的付款率从 5% 升到 50%，给前一步的权重，变的是付款那一步，还是加购那一步？让付款只听自己，又会怎样？", en: "let half of all carts be paid for instead of one in twenty: whose weight on the step before changes, paying's or the cart's? And if paying hears itself alone?" },
    source: {
      zh: "四个付款率各训练了一个 AITM；四十个人的最后一步（打分、softmax、混合、概率）在网页里现算。这是图 1 那一个世界，各世界的平均看图 3。",
      en: "An AITM was trained at each of four rates of paying; the last step of forty people (scores, softmax, mixture, probability) is computed in this page. This is the one world of Figure 1; for the mean over worlds see Figure 3.",
    },
    handles: (data) => [
      { name: "rate", kind: "range", min: 0, max: data.words.rates.length - 1, label: { zh: "加购以后付款的比例", en: "Rate of paying after a cart" }, text: (v) => `${Math.round(100 * data.words.rates[v])}%` },
      {
        name: "heard", kind: "choice", label: { zh: "付款听谁", en: "Paying listens" },
        options: [{ zh: "按学到的权重", en: "as it has learnt" }, { zh: "只听自己", en: "to itself alone" }, { zh: "只听前一步", en: "to the step before alone" }],
      },
    ],
    states: (data) => [
      { label: { zh: "付款稀少", en: "payments rare" }, state: { rate: data.words.rates.length - 1, heard: 0 } },
      { label: { zh: "付款常见", en: "payments common" }, state: { rate: 0, heard: 0 } },
      { label: { zh: "稀少，却只听自己", en: "rare, and hears itself alone" }, state: { rate: data.words.rates.length - 1, heard: 1 } },
    ],
    compute,
    draw: ({ weights, logits, pairs }, { rate }, kit, data) => {
      const wide = kit.width > 560 ? kit.width / 2 - 14 : kit.width;
      const row = (values, y, colour, name) => [
        { dots: values.map((w, i) => [w, y + (i % 9 - 4) / 20]), colour, size: 3 },
        { line: [[mean(values), y - 0.35], [mean(values), y + 0.35]] },
        { words: { zh: `${name.zh}：平均 ${kit.number(mean(values))}`, en: `${name.en}: mean ${kit.number(mean(values))}` }, at: [0, y + 0.42], colour },
      ];
      const carts = data.carts[rate], points = logits.map((logit, i) => [Math.max(log10(carts[i]), -7), Math.max(log10(logit), -9)]);
      const part = (above) => points.filter((_, i) => logits[i] > carts[i] === above);
      return kit.beside(kit.plot({
        x: { low: 0, high: 1, ticks: [0, 0.5, 1], digits: 1, label: { zh: "权重", en: "weight" } }, y: { low: -0.6, high: 1.7, ticks: [], label: { zh: "每个人给前一步的权重", en: "Each person's weight on the step before" } }, wide,
        label: { zh: "两步给前一步的权重，一个点是一个人", en: "The weights of two steps, a dot for each person" },
        marks: [...row(data.cart_weights[rate], 1, "blue", { zh: "加购听点击", en: "cart, of the click" }), ...row(weights, 0, "rust", { zh: "付款听加购", en: "paying, of the cart" })],
      }), kit.plot({
        x: { low: -7, high: 0, ticks: [-6, -4, -2], text: (v) => `${10 ** (v + 2)}%`, label: { zh: "预测的加购概率", en: "predicted p(cart)" } },
        y: { low: -9, high: 0, ticks: [-4, -2, 0], text: (v) => `${10 ** (v + 2)}%`, label: { zh: "预测的付款概率", en: "Predicted p(pay)" } }, wide,
        label: { zh: `四十个人里 ${part(true).length} 个越过对角线`, en: `${part(true).length} of forty people above the diagonal` },
        marks: [{ line: [[-7, -7], [0, 0]], colour: "grey" }, { dots: part(false), colour: "blue" }, { dots: part(true), colour: "gold", name: { zh: "违序：付款比加购更可能", en: "out of order: paying likelier than a cart" } }],
      })) + kit.bars([{ label: { zh: "两两比较，谁更可能付款，排对的", en: "pairs with the likelier payer first" }, value: pairs, note: kit.percent(pairs) }], { colour: "rust" });
    },
    say: ({ weights, logits, pairs }, { rate }, kit, data) => {
      const n = wrong(logits, data.carts[rate]), w = kit.number(mean(weights)), p = kit.percent(pairs), shown = `${Math.round(100 * data.words.rates[rate])}%`;
      return {
        zh: `付款率 ${shown}：付款给前一步的权重平均 ${w}；四十个人里 ${n} 个违序，两两比较排对 ${p}。`,
        en: `At a rate of ${shown}, paying gives the step before a weight of ${w} on average; ${n} of forty people are out of order, and ${p} of the pairs are in the right order.`,
      };
    },
  };
})());
