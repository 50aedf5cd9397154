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

  const NAMES = [  // what is said for the rows; the notebook hands over English alone
    { zh: "真值", en: "truth" }, { zh: "只用点击", en: "clicks only" }, { zh: "共享底层", en: "shared bottom" },
    "ESMM", { zh: "未点击算 0", en: "unclicked as 0" },
  ];
  const which = (picked) => (
    picked === 0 ? { zh: "全部", en: "all" } : picked === PICKED ? { zh: "点过的", en: "clicked" }
      : { zh: `偏向点过的 ${picked}/${PICKED}`, en: `${picked}/${PICKED} towards clicked` }
  );

  return {
    question: { zh: "只从点击里学到的转化率，用到全部曝光上还准吗？", en: "Is a conversion rate learnt on clicks alone right for all impressions?" },
    predict: {
      zh: "从全部曝光拖到点过的曝光，真值和四个模型，哪一根动得最多？再把相关系数换成 0 呢？",
      en: "drag from all impressions to the clicked ones: which bar moves most, the truth's or a model's? And at a correlation of 0?",
    },
    source: {
      zh: "笔记本在三个模拟世界里各训练了四个模型，相关系数说的是爱点与爱买有多一致。测试曝光按真实点击率排成一百组，网页加权求平均：全部曝光各组一样重，点过的曝光按点击率加权，中间逐步过渡。",
      en: "The notebook has trained four models in each of three simulated worlds; the correlation says how far what gets clicked is also what gets bought. Test impressions stand in a hundred groups by true click rate, and this page takes weighted means: all groups alike for all impressions, by click rate for the clicked ones, in steps between.",
    },
    handles: (data) => [
      { name: "picked", kind: "range", min: 0, max: PICKED, label: { zh: "看哪些曝光", en: "Which impressions" }, text: which },
      { name: "world", kind: "choice", options: data.words.worlds, label: { zh: "相关系数", en: "Correlation" } },
    ],
    states: ({ words: { worlds } }) => [
      { label: { zh: "全部曝光", en: "all impressions" }, state: { picked: 0, world: worlds.length - 1 } },
      { label: { zh: "只看点过的", en: "clicked ones only" }, state: { picked: PICKED, world: worlds.length - 1 } },
      { label: { zh: "全部曝光，两者不相关", en: "all, correlation 0" }, state: { picked: 0, world: 0 } },
    ],
    compute,
    draw: ({ weights, means }, { world }, kit, data) => {
      const { colours } = data.words, line = (row) => row.map((value, i) => [i + 1, value]);
      const top = Math.max(...weights);
      return kit.bars(means.map((value, i) => ({ label: NAMES[i], value, colour: colours[i], strong: i === 0 })), {
        high: 1.1 * longest(data), title: { zh: "这些曝光的平均转化率", en: "Mean conversion rate of these impressions" },
      }) + kit.text({
        zh: "只用点击：只在点过的曝光上学转化。共享底层：与点击共用底层，转化仍只在点过的上学。未点击算 0：没点的一律当作没转化。",
        en: "Clicks only learns conversion on clicked impressions; shared bottom does, too, on layers shared with the click; unclicked as 0 counts what was not clicked as not converted.",
      }) + kit.text("") + kit.plot({
        x: { low: 0, high: 100, label: { zh: "曝光，按真实点击率从低到高（%）", en: "Impressions, by true click rate, lowest first (%)" }, ticks: [0, 25, 50, 75, 100], digits: 0 },
        y: { low: 0, high: 1, label: { zh: `各组的转化率；浅蓝底是各组的权重（最高 ${kit.percent(top, 1)}）`, en: `Conversion rate of each group; pale blue: its weight (at most ${kit.percent(top, 1)})` } },
        label: { zh: "各组曝光的真实转化率与四个模型的估计", en: "True conversion rate of each group, and what four models estimate" },
        marks: [
          { area: [[1, 0], ...weights.map((w, i) => [i + 1, 0.9 * w / top]), [weights.length, 0]], colour: "sky" },
          ...data.rates[world].map((row, i) => ({ line: line(row), colour: colours[i], dashed: i > 0 })),
        ],
      });
    },
    say: ({ means }, { picked, world }, kit, data) => {
      const [truth, naive, shared, entire, zero] = means.map((value) => kit.percent(value));
      const [, times, , own] = means.map((value) => kit.number(value / means[0], 1));
      const [all, end] = [0, PICKED].map((at) => kit.percent(compute(data, { world, picked: at }).means[0]));
      if (!Number(data.words.worlds[world])) {
        return {
          zh: `两者不相关，点过的曝光与全部曝光差不多一样会买（真值 ${end} 与 ${all}）。只用点击的说 ${naive}，ESMM 说 ${entire}，都准；共享底层的 ${shared} 偏高，与挑选无关。`,
          en: `With no correlation, clicked impressions buy about as often as all do (truth: ${end} and ${all}). Clicks only (${naive}) and ESMM (${entire}) fit; shared bottom, at ${shared}, is too high, but not because clicks select.`,
        };
      }
      if (picked === 0) {
        return {
          zh: `点过的曝光本来就更会买，所以只用点击的说 ${naive}，真值只有 ${truth}（${times} 倍）；ESMM 在全部曝光上学“点击 × 转化”，说 ${entire}，近一些，仍是 ${own} 倍。`,
          en: `Clicked impressions are those that buy more, so clicks only says ${naive} where the truth is ${truth} (${times} times); ESMM, which learns click × conversion on all impressions, says ${entire}, nearer but still ${own} times.`,
        };
      }
      if (picked === PICKED) {
        return {
          zh: `动得最多的是真值，从 ${all} 升到 ${truth}。只用点击的就是在这些曝光上训练的，说 ${naive}，ESMM 说 ${entire}，都接近：日志只知道这些曝光买没买，看不出毛病。未点击算 0 的仍只有 ${zero}。`,
          en: `The truth has moved most, from ${all} to ${truth}. Clicks only, trained on just these impressions, says ${naive}, and ESMM ${entire}, both near: a log knows conversions only here and shows nothing wrong. Unclicked as 0 still says ${zero}.`,
        };
      }
      return {
        zh: `越偏向点过的，真值越高：全部曝光上是 ${all}，这里是 ${truth}。只用点击的说 ${naive}（${times} 倍），ESMM 说 ${entire}（${own} 倍）。`,
        en: `The more clicked impressions count, the higher the truth: ${all} over all, ${truth} here. Clicks only says ${naive} (${times} times), ESMM ${entire} (${own} times).`,
      };
    },
  };
})());
