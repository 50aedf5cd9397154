// TWIN: what a first stage picks, and what the attention of the second stage wanted.
"use strict";

recsysLive.figure("twin", (() => {
  const { math } = recsysLive;
  const HEADS = 2;
  const head = (x, h) => x.slice(h * x.length / HEADS, (h + 1) * x.length / HEADS);

  // Eq. (6), head by head, for all steps.
  const alpha = (data, keys) => math.range(HEADS).map((h) => keys.map((key, i) =>
    math.dot(head(key, h), head(data.query, h)) / Math.sqrt(data.query.length / HEADS) + data.extra[i][h]));
  // The heads name their best in turn; a step counts in the turn that names it first.
  const turns = (scores, k) => {
    const first = scores[0].map(() => Infinity);
    scores.forEach((row, h) => math.order(row).forEach((i, rank) => {
      first[i] = Math.min(first[i], rank * HEADS + h);
    }));
    return math.order(first.map((turn) => -turn)).slice(0, k);
  };

  const pick = (data, rule, k) => {
    const n = data.keys.length, later = math.range(n).map((i) => i / n);
    if (rule === 4) return turns(alpha(data, data.keys), k);
    if (rule === 5) return turns(alpha(data, data.old), k);
    if (rule === 2) return math.order(data.steps.map((step) => math.dot(step, data.candidate))).slice(0, k);
    if (rule === 3) {
      const side = (x) => data.planes.map((plane) => math.dot(plane, x) > 0), own = side(data.candidate);
      return math.order(data.steps.map((step, i) => later[i] - side(step).filter((bit, b) => bit !== own[b]).length)).slice(0, k);
    }
    const shares = (i) => rule === 0 || math.dot(data.genres[i], data.genre) > 0;
    return math.range(n).reverse().filter(shares).slice(0, k);
  };

  const compute = (data, { rule, k }) => {
    const wanted = turns(alpha(data, data.keys), k), picked = pick(data, rule, k);
    return { picked, wanted, hits: picked.filter((i) => wanted.includes(i)).length };
  };

  const RULES = [
    { zh: "最近的", en: "the latest" },
    { zh: "同类型（SIM 硬搜索）", en: "a shared genre (SIM, hard)" },
    { zh: "嵌入的内积（SIM 软搜索的起点）", en: "inner product of embeddings (where SIM's soft search starts)" },
    { zh: "64 位哈希（ETA）", en: "a hash of 64 bits (ETA)" },
    { zh: "TWIN", en: "TWIN" },
    { zh: "TWIN，键旧一轮", en: "TWIN, keys one epoch old" },
  ];
  return {
    question: { zh: "第一级挑出的，是第二级想要的吗？", en: "Does the first stage pick what the second stage wants?" },
    predict: { zh: "换成“键旧一轮”的 TWIN，命中会掉到同类型那样低吗？", en: "with keys one epoch old, does TWIN fall as low as the shared genre?" },
    source: {
      zh: "由本章训练好的 TWIN 在网页里现算：第二级始终是它的注意力，只换第一级。这只是一位用户、一个候选；许多用户的平均见下文。",
      en: "Computed in this page from the TWIN that the chapter has trained: the second stage is its attention throughout, the first stage changes. One user and one candidate; for the average over many see below.",
    },
    handles: [
      { name: "rule", kind: "choice", options: RULES, label: { zh: "第一级怎样挑", en: "First stage" } },
      { name: "k", kind: "range", min: 5, max: 50, label: { zh: "挑几部，K", en: "Films to pick, K" }, text: (v) => `${v}` },
    ],
    states: [1, 3, 5].map((rule) => ({ label: RULES[rule], state: { rule, k: 20 } })),
    compute,
    draw: ({ picked, wanted }, state, kit, data) => {
      const n = data.keys.length, both = picked.filter((i) => wanted.includes(i));
      const row = (places, y) => places.map((i) => [i - n, y]);
      return kit.plot({
        x: { low: -n, high: 0, digits: 0, label: { zh: "候选之前的第几部", en: "Film before the candidate" } },
        y: { low: 0.4, high: 2.6, ticks: [1, 2], text: (v) => (v > 1 ? { zh: "挑的", en: "picked" } : { zh: "想要", en: "wanted" }) },
        height: 150,
        label: { zh: "挑出的与想要的，沿时间排开", en: "What is picked and what is wanted, along time" },
        marks: [
          { dots: [...row(math.range(n), 1), ...row(math.range(n), 2)], colour: "grey", size: 1.5 },
          { dots: row(picked, 2), colour: "blue", size: 4, name: { zh: "第一级挑的", en: "picked by the first stage" } },
          { dots: row(wanted, 1), colour: "ink", hollow: true, size: 4, name: { zh: "注意力想要的", en: "wanted by the attention" } },
          { dots: [...row(both, 1), ...row(both, 2)], colour: "rust", size: 4, name: { zh: "命中", en: "hits" } },
        ],
      }) + kit.beside(...[[picked, wanted, { zh: "挑出的前几部", en: "First picked" }], [wanted, picked, { zh: "最想要的几部", en: "Most wanted" }]]
        .map(([own, other, title]) => kit.list(own.slice(0, 6).map((i) => ({ label: data.words.titles[i], strong: other.includes(i) })), { title })));
    },
    say: ({ picked, hits }, { rule, k }) => ({
      zh: `${RULES[rule].zh}：挑了 ${picked.length} 部，注意力想要的 ${k} 部里命中 ${hits} 部。`,
      en: `${RULES[rule].en}: ${picked.length} picked; of the ${k} that the attention wants, ${hits} are among them.`,
    }),
  };
})());
