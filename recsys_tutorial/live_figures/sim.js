// SIM in the world of recurring topics: a search, what it finds, and the two chances.
"use strict";

recsysLive.figure("sim", (() => {
  const { math } = recsysLive;
  const SIZES = [1, 2, 5, 10, 20, 60];
  const topic = (data, id) => Math.floor((id - 1) / data.words.items_of_topic);
  const rows = (W, part, parts) => W.slice(part * W.length / parts, (part + 1) * W.length / parts);

  // Positions of the K best steps, best first: Eq. (1), hard and soft, or the latest.
  const search = (data, own, method, id, k) => {
    const all = math.range(data.long.length).reverse();
    if (method === 2) return all.slice(0, k);
    if (method === 0) return all.filter((i) => topic(data, data.long[i]) === topic(data, id)).slice(0, k);
    const target = math.times(math.transpose(own.step), math.times(own.target, own.items[id]));
    return math.order(data.long.map((step) => math.dot(own.items[step], target))).slice(0, k);
  };

  // Eqs. (3) and (4): each head weighs the steps that were found.
  const attend = (own, steps, candidate) => {
    const heads = own.exact_steps.length / candidate.length;
    return math.range(heads).flatMap((h) => {
      const asked = math.times(rows(own.exact_target, h, heads), candidate);
      const weights = math.softmax(steps.map((z) => math.dot(math.times(rows(own.exact_steps, h, heads), z), asked)));
      return math.times(math.transpose(steps), weights);
    });
  };

  // DIN on the recent steps: what it adds up.
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
  return {
    question: { zh: "从三百步里挑几步来看，挑到的是不是该看的？", en: "A few steps out of three hundred: are they the ones that matter?" },
    predict: { zh: "硬搜索只留最近的 1 步，两个概率会怎样？换成软搜索呢？", en: "with K = 1 in hard search, what becomes of the two chances? And with soft search?" },
    source: {
      zh: "由本章的硬、软两种 SIM 在网页里现算，训练时 K 都是 20；“不搜”借用硬搜索那个模型。",
      en: "Computed in this page by two SIMs of this chapter, hard and soft, both trained with a K of 20; without a search it is the model of hard search that reads.",
    },
    handles: [
      { name: "size", kind: "range", min: 0, max: SIZES.length - 1, label: { zh: "最多取几步，K", en: "Steps to find, K" }, text: (v) => `${SIZES[v]}` },
      { name: "method", kind: "choice", options: METHODS, label: { zh: "怎样搜", en: "Search" } },
    ],
    states: [
      { label: { zh: "硬搜索，K = 20", en: "hard, K = 20" }, state: { size: 4, method: 0 } },
      { label: { zh: "硬搜索，K = 1", en: "hard, K = 1" }, state: { size: 0, method: 0 } },
      { label: { zh: "软搜索，K = 20", en: "soft, K = 20" }, state: { size: 4, method: 1 } },
    ],
    compute,
    draw: ({ chances, found }, state, kit, data) => {
      const all = [...data.long, ...data.history], topics = Math.max(...all.map((id) => topic(data, id))) + 1;
      const asked = topic(data, data.candidates[0]);
      const at = (i) => [i - all.length, topic(data, all[i]) + 1];
      const related = math.range(data.long.length).filter((i) => topic(data, all[i]) === asked);
      return kit.plot({
        x: { low: -all.length, high: 0, ticks: [-300, -200, -100, 0], digits: 0, label: { zh: "候选之前的步；阴影是短历史", en: "Step; shaded: the short history" } },
        y: { low: 0.5, high: topics + 0.5, ticks: math.range(topics).map((i) => i + 1), digits: 0, label: { zh: `每一步的主题；候选属于主题 ${asked + 1}`, en: `Topic of each step; the candidate is of topic ${asked + 1}` } },
        label: { zh: "历史里每一步的主题，以及找到的步", en: "The topic of each step of the history, and the steps found" },
        marks: [
          { area: [[-data.history.length, 0.5], [0, 0.5], [0, topics + 0.5], [-data.history.length, topics + 0.5]], colour: "gold" },
          { dots: math.range(all.length).map(at), colour: "grey", size: 1.5 },
          { dots: related.map(at), colour: "blue", size: 6, hollow: true, name: { zh: "与候选同主题", en: "of the candidate's topic" } },
          { dots: found.map(at), colour: "rust", size: 3.5, name: { zh: "找到的", en: "found" } },
        ],
      }) + kit.bars(chances.map((value, side) => ({
        label: side ? { zh: "同主题，另一面", en: "same topic, other side" } : { zh: "常点的那一面", en: "the side mostly clicked" },
        value, note: kit.percent(value), colour: side ? "grey" : "rust",
      })), { title: { zh: "点击候选的概率", en: "Chance that a candidate is clicked" } });
    },
    say: ({ chances, found, hits }, { method }, kit) => {
      const [a, b] = chances.map((value) => kit.percent(value));
      return {
        zh: `${METHODS[method].zh}：找到 ${found.length} 步，其中 ${hits} 步同主题；常点的一面 ${a}，另一面 ${b}。`,
        en: `${METHODS[method].en}: ${hits} of ${found.length} steps found are on the topic; ${a} for the side mostly clicked, ${b} for the other.`,
      };
    },
  };
})());
