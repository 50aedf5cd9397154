// OneRec: rounds of alignment by reward models that have seen few logs or many.
"use strict";

recsysLive.figure("onerec", (() => {
  const { math } = recsysLive;
  const REPETITION = 3;

  // The definition of the world: mean taste, less the price of repeated topics.
  const worth = (list, taste) => {
    const real = list.filter((topic) => topic >= 0), n = list.length;
    let same = 0;
    real.forEach((a, i) => real.slice(0, i).forEach((b) => { same += a === b ? 1 : 0; }));
    return math.sum(real.map((topic) => taste[topic])) / n - REPETITION * same / (n * (n - 1) / 2);
  };

  const compute = (data, { round, logs }) => {
    const since = (curve) => curve.slice(0, round + 1).map((value) => value - curve[0]);
    const lists = data.lists[logs][round];
    return {
      rise: since(data.reward[logs]), gain: since(data.worth[logs]), worth: data.worth[logs][round],
      topics: data.topics[logs][round], invalid: data.invalid[logs][round],
      lists: lists.flat(), worths: lists.map((list, user) => worth(list, data.taste[user])),
    };
  };

  return {
    question: { zh: "按奖励一轮轮对齐下去，奖励和列表的真实价值，哪一个一直在涨？", en: "Align round after round by the reward: which keeps rising, the reward or the true worth of a list?" },
    predict: { zh: "把日志换成 16,000 条，两条线各往哪走？", en: "take 16,000 logged lists instead: which way does either line go?" },
    source: {
      zh: "线是笔记本跑出来的，四个世界的平均，与对齐之前比；列表是第一个世界的四位用户，0 到 7 是类别，× 是拼不出物品的词，价值在网页里按定义现算。",
      en: "Lines: a sweep that the notebook has run, means over four worlds, compared with before alignment. Lists: four users of the first world; 0 to 7 are topics, × is a word that spells no item, and worths are computed here from their definition.",
    },
    handles: (data) => [
      { name: "round", kind: "range", min: 0, max: data.reward[0].length - 1, label: { zh: "对齐的轮数", en: "Rounds of alignment" } },
      { name: "logs", kind: "choice", options: data.words.logs.map((n) => ({ zh: n.toLocaleString("en"), en: n.toLocaleString("en") })), label: { zh: "奖励模型看过的日志", en: "Logged lists that the reward model has seen" } },
    ],
    states: [
      { label: { zh: "100 条，末轮", en: "100 lists, last round" }, state: { round: 5, logs: 0 } },
      { label: { zh: "16,000 条，末轮", en: "16,000 lists, last round" }, state: { round: 5, logs: 2 } },
      { label: { zh: "对齐之前", en: "before alignment" }, state: { round: 0, logs: 0 } },
    ],
    compute,
    draw: ({ rise, gain, topics, invalid, lists, worths }, state, kit, data) => {
      const high = Math.max(...data.reward[state.logs].map(Math.abs), 0.01), last = data.reward[0].length - 1;
      const top = Math.max(...data.worth.flatMap((c) => c.map((v) => Math.abs(v - c[0]))));
      const line = (curve, colour, name, scale) => ({ line: curve.map((v, i) => [i, v / scale]), colour, name });
      const ends = (curve, colour, scale) => ({ dots: [[curve.length - 1, curve[curve.length - 1] / scale]], colour, size: 6 });
      const size = lists.length / worths.length;
      return kit.plot({
        x: { low: -0.2, high: last + 0.2, digits: 0, ticks: math.range(last + 1), label: { zh: "轮", en: "round" } },
        y: { low: -1.15, high: 1.15, ticks: [0], digits: 0 },
        marks: [
          { line: [[0, 0], [last, 0]], colour: "line" },
          line(rise, "rust", { zh: "奖励", en: "reward" }, high), line(gain, "blue", { zh: "真实价值", en: "true worth" }, top),
          ends(rise, "rust", high), ends(gain, "blue", top),
        ],
        height: 200, label: { zh: "与对齐之前比，各按自己的最大值画", en: "since before alignment, each on its own scale" },
      }) + kit.beside(
        kit.list(worths.map((value, user) => {
          const cells = lists.slice(user * size, (user + 1) * size).map((t) => (t < 0 ? "×" : t)).join(" ");
          return { label: `${cells}`, note: kit.number(value, 2) };
        }), { title: { zh: "四位用户的列表与真实价值", en: "Lists of four users, and their true worth" } }),
        kit.bars([
          { label: { zh: "五件里几类", en: "topics among five" }, value: topics / 5, note: kit.number(topics, 2), colour: "green" },
          { label: { zh: "拼错的词", en: "misspelt words" }, value: invalid, note: kit.percent(invalid, 1), colour: "grey" },
        ], { title: { zh: "列表的样子", en: "What lists are like" } }),
      );
    },
    say: ({ rise, gain, topics }, { round, logs }, kit, data) => {
      const [a, b] = [rise[round], gain[round]].map((v) => kit.number(v, 2)), n = data.words.logs[logs].toLocaleString("en");
      return {
        zh: `${n} 条日志，${round} 轮之后：奖励变了 ${a} 个标准差，真实价值变了 ${b}；五件里有 ${kit.number(topics, 2)} 类。`,
        en: `${n} logged lists, after ${round} rounds: the reward has moved by ${a} standard deviations, the true worth by ${b}; ${kit.number(topics, 2)} topics among five.`,
      };
    },
  };
})());
