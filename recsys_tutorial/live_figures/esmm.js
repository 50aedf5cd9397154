// ESMM in three simulated worlds: which impressions a conversion rate is averaged over,
// and what four models say of it beside the truth.
"use strict";

recsysLive.figure("esmm", (() => {
  const { math } = recsysLive;
  const PICKED = 10;  // at this place of the handle: the clicked impressions

  // A hundred groups of impressions, each weighted by its click rate to a power from 0
  // (all impressions alike) to 1 (as many as there are clicks).
  const compute = (data, { world, picked }) => {
    const powers = data.click.map((rate) => rate ** (picked / PICKED));
    const weights = math.scale(powers, 1 / math.sum(powers));
    return { weights, means: data.rates[world].map((row) => math.dot(row, weights)) };
  };

  // The longest bar of all states at either end: one scale for all of them.
  const longest = (data) => Math.max(...[0, PICKED].flatMap((picked) => data.rates.flatMap((_, world) => compute(data, { world, picked }).means)));

  const which = (picked) => (
    picked === 0 ? { zh: "全部曝光：上线后", en: "all impressions, as served" }
      : picked === PICKED ? { zh: "点过的曝光：训练时", en: "clicked impressions, as trained on" }
        : { zh: `两者之间：点击率的 ${picked / PICKED} 次方`, en: `in between: click rate to the power ${picked / PICKED}` }
  );

  return {
    question: { zh: "在点击上学到的转化率，放到全部曝光上还对吗？", en: "Is a conversion rate learnt on clicks still right for every impression?" },
    predict: {
      zh: "从全部曝光拖到点过的曝光，真值和四个模型，哪一根动得最多？再把相关系数换成 0 呢？",
      en: "drag from all impressions to the clicked ones: which bar moves most, the truth's or a model's? And at a correlation of 0?",
    },
    source: {
      zh: "笔记本在三个模拟世界里各训练了四个模型；测试曝光按真实点击率排成一百组，网页给各组加权求平均。",
      en: "The notebook has trained four models in each of three simulated worlds; test impressions stand in a hundred groups by true click rate, and this page weights the groups and takes the mean.",
    },
    handles: (data) => [
      { name: "picked", kind: "range", min: 0, max: PICKED, label: { zh: "看哪些曝光", en: "Which impressions" }, text: which },
      { name: "world", kind: "choice", options: data.words.worlds, label: { zh: "点击与转化的相关系数", en: "Correlation of clicks and conversions" } },
    ],
    states: ({ words: { worlds } }) => [
      { label: { zh: "全部曝光", en: "all impressions" }, state: { picked: 0, world: worlds.length - 1 } },
      { label: { zh: "只看点过的", en: "clicked ones only" }, state: { picked: PICKED, world: worlds.length - 1 } },
      { label: { zh: "全部曝光，毫不相关", en: "all, no correlation" }, state: { picked: 0, world: 0 } },
    ],
    compute,
    draw: ({ weights, means }, { world }, kit, data) => {
      const { rows, colours } = data.words, line = (row) => row.map((value, i) => [i + 1, value]);
      const top = Math.max(...weights);
      return kit.bars(means.map((value, i) => ({ label: rows[i], value, colour: colours[i], strong: i === 0 })), {
        high: 1.1 * longest(data), title: { zh: "这些曝光的平均转化率", en: "Mean conversion rate of these impressions" },
      }) + kit.plot({
        x: { low: 0, high: 100, label: { zh: "曝光，按真实点击率从低到高（%）", en: "Impressions, by true click rate, lowest first (%)" }, ticks: [0, 25, 50, 75, 100], digits: 0 },
        y: { low: 0, high: 1, label: { zh: "每一组的转化率；灰底是这一组占几分", en: "Conversion rate of each group; in grey, how much the group counts" } },
        label: { zh: "各组曝光的真实转化率与四个模型的估计", en: "True conversion rate of each group, and what four models estimate" },
        marks: [
          { area: [[1, 0], ...weights.map((w, i) => [i + 1, 0.9 * w / top]), [weights.length, 0]], colour: "grey" },
          ...data.rates[world].map((row, i) => ({ line: line(row), colour: colours[i], dashed: i > 0 })),
        ],
      });
    },
    say: ({ means }, { picked, world }, kit, data) => {
      const [truth, naive, , entire] = means.map((value) => kit.percent(value));
      const times = kit.number(means[1] / means[0], 1), own = kit.number(means[3] / means[0], 1);
      const where = which(picked), c = data.words.worlds[world];
      return {
        zh: `${where.zh}（相关系数 ${c}）。真值 ${truth}；只用点击的模型说 ${naive}，是真值的 ${times} 倍；ESMM 说 ${entire}，${own} 倍。`,
        en: `${where.en[0].toUpperCase()}${where.en.slice(1)} (correlation ${c}). The truth is ${truth}; clicks only says ${naive}, ${times} times that; ESMM says ${entire}, ${own} times.`,
      };
    },
  };
})());
