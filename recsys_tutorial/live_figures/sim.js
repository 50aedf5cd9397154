// SIM: a search, what it finds, and two chances.
"use strict";

recsysLive.figure("sim", (() => {
  const { math } = recsysLive;
  const SIZES = [1, 2, 5, 10, 20, 60];
  const topic = (data, id) => Math.floor((id - 1) / data.words.items_of_topic);
  const rows = (W, part, parts) => W.slice(part * W.length / parts, (part + 1) * W.length / parts);

  // The K best steps, best first: Eq. (1), or the latest.
  const search = (data, own, method, id, k) => {
    const all = math.range(data.long.length).reverse();
    if (method === 2) return all.slice(0, k);
    if (method === 0) return all.filter((i) => topic(data, data.long[i]) === topic(data, id)).slice(0, k);
    const target = math.times(math.transpose(own.step), math.times(own.target, own.items[id]));
    return math.order(data.long.map((step) => math.dot(own.items[step], target))).slice(0, k);
  };

  // Eqs. (3) and (4), head by head.
  const attend = (own, steps, candidate) => {
    const heads = own.exact_steps.length / candidate.length;
    return math.range(heads).flatMap((h) => {
      const asked = math.times(rows(own.exact_target, h, heads), candidate);
      const weights = math.softmax(steps.map((z) => math.dot(math.times(rows(own.exact_steps, h, heads), z), asked)));
      return math.times(math.transpose(steps), weights);
    });
  };

  // DIN on the recent steps.
  const recent = (own, steps, candidate) => {
    const parts = steps.map((step) => {
      const difference = candidate.map((value, d) => value - step[d]), product = candidate.map((value, d) => value * step[d]);
      const inner = math.linear(own.hidden, own.hidden_bias, [...candidate, ...step, ...difference, ...product]);
      return math.scale(step, math.dot(own.output[0], math.prelu(inner, own.alpha)) + own.output_bias[0]);
    });
    return math.scale(math.plus(...parts), 1 / steps.length);
  };

  const chance = (own, x) => {
    const first = math.prelu(math.linear(own.head0, own.head0_bias, x), own.head1);
    const second = math.prelu(math.linear(own.head2, own.head2_bias, first), own.head3);
    return math.sigmoid(math.dot(own.head4[0], second) + own.head4_bias[0]);
  };

  const compute = (data, { size, method }) => {
    const name = method === 1 ? "soft_" : "hard_";
    const own = Object.fromEntries(Object.keys(data).filter((key) => key.startsWith(name)).map((key) => [key.slice(name.length), data[key]]));
    const look = (ids) => ids.map((id) => own.items[id]);
    const places = data.candidates.map((id) => search(data, own, method, id, SIZES[size]));
    const chances = data.candidates.map((id, c) => chance(own, [
      ...attend(own, look(places[c].map((i) => data.long[i])), own.items[id]),
      ...recent(own, look(data.history), own.items[id]), ...own.items[id],
    ]));
    const found = places[0], right = found.filter((i) => topic(data, data.long[i]) === topic(data, data.candidates[0]));
    return { chances, found, hits: right.length, steps: found.map((i) => data.long[i]).sort((a, b) => a - b) };
  };

  const METHODS = [{ zh: "硬搜索", en: "hard search" }, { zh: "软搜索", en: "soft search" }, { zh: "不搜，取最近的", en: "no search, the latest" }];
  const OTHER = { zh: "同主题，另一面", en: "same topic, other side" };
  const title = (size, method) => ({ zh: `${METHODS[method].zh}，K = ${SIZES[size]}`, en: `${METHODS[method].en}, K = ${SIZES[size]}` });
  const side = (data, id) => Math.ceil(2 * id / data.words.items_of_topic);
  const on = (data, i, c) => side(data, data.long[i]) === side(data, data.candidates[c]);
  return {
    question: { zh: "三百步里挑几步，挑到的是不是该看的？", en: "A few of three hundred steps: are they the ones that matter?" },
    predict: { zh: "硬搜索只留主题 1 最近的一步（K = 1），两个概率会怎样？", en: "hard search keeps only the latest step of topic 1 (K = 1): what becomes of the two chances?" },
    source: {
      zh: "本章硬、软两种 SIM（训练时 K = 20）在网页里现算；“不搜”是硬搜索的模型改读最近 K 步。图上是为常点一面挑的。这只是一位用户，哪种办法都可能碰巧对或碰巧错；许多用户的平均，看本章的表。",
      en: "Computed in this page by this chapter's hard and soft SIM, trained with K = 20; with no search, the hard-search model is fed the latest K. Steps shown: for the usual side. This is one user, with whom any method may be right or wrong by luck; for the average over many see the chapter's tables.",
    },
    handles: [
      { name: "size", kind: "range", min: 0, max: SIZES.length - 1, label: { zh: "最多取几步，K", en: "Steps to pick, K" }, text: (v) => `${SIZES[v]}` },
      { name: "method", kind: "choice", options: METHODS, label: { zh: "怎样挑", en: "Pick by" } },
    ],
    states: [[4, 0], [0, 0], [4, 1]].map(([size, method]) => ({ label: title(size, method), state: { size, method } })),
    compute,
    draw: ({ chances, found }, state, kit, data) => {
      const all = [...data.long, ...data.history], topics = Math.max(...all.map((id) => topic(data, id))) + 1;
      const asked = topic(data, data.candidates[0]);
      const at = (i) => [i - all.length, topic(data, all[i]) + 1];
      const [usual, other] = [0, 1].map((c) => math.range(data.long.length).filter((i) => on(data, i, c)).map(at));
      return kit.plot({
        x: { low: -all.length, high: 0, ticks: [-300, -200, -100, 0], digits: 0, label: { zh: "候选之前的步；阴影是短历史", en: "Step; shaded: the short history" } },
        y: { low: 0.5, high: topics + 0.5, ticks: math.range(topics).map((i) => i + 1), digits: 0, label: { zh: `每一步的主题；候选属于主题 ${asked + 1}`, en: `Topic of each step; the candidates' is ${asked + 1}` } },
        label: { zh: "每一步的主题", en: "Topic of each step" },
        marks: [
          { area: [[-data.history.length, 0.5], [0, 0.5], [0, topics + 0.5], [-data.history.length, topics + 0.5]], colour: "gold" },
          { dots: math.range(all.length).map(at), colour: "grey", size: 1.5 },
          { dots: usual, colour: "blue", size: 6, name: { zh: "同主题，常点的一面", en: "same topic, usual side" } },
          { dots: other, colour: "blue", size: 6, hollow: true, name: OTHER },
          { dots: found.map(at), colour: "rust", size: 3.5, name: { zh: "挑到的", en: "picked" } },
        ],
      }) + kit.bars(chances.map((value, side) => ({
        label: side ? OTHER : { zh: "他常点的一面", en: "the side mostly clicked" },
        value, note: kit.percent(value), colour: side ? "grey" : "rust",
      })), { title: { zh: "点击候选的概率", en: "Chance that a candidate is clicked" } });
    },
    say: ({ chances, found, hits }, { size, method }, kit, data) => {
      const [a, b] = chances.map((value) => kit.percent(value)), n = found.length;
      const usual = found.filter((i) => on(data, i, 0)).length;
      let why = {};
      if (n === 1 && hits > usual) why = { zh: "这步是例外：另一面。", en: " That step is the exception: other side." };
      else if (n < SIZES[size]) why = { zh: `同主题的只有这 ${n} 步。`, en: ` There are only ${n} on the topic.` };
      else if (!hits) why = { zh: "没有一步同主题，谁高全凭运气。", en: " Nothing on the topic: which is higher is luck." };
      else if (method && chances[0] < chances[1]) why = { zh: "同主题的全在常点的一面，还是判反了。", en: " On the topic, usual side throughout, yet the order is wrong." };
      const { zh, en } = title(size, method);
      return {
        zh: `${zh}：挑到 ${n} 步，${hits} 步同主题；常点的一面 ${a}，另一面 ${b}。${why.zh || ""}`,
        en: `${en}: ${hits} of ${n} picked are on the topic; ${a} for the usual side, ${b} for the other.${why.en || ""}`,
      };
    },
  };
})());
