// A placeholder that works: what moves, and what answers.
"use strict";

recsysLive.figure("pepnet", (() => {
  const { math } = recsysLive;

  const compute = (data, { steps }) => {
    const user = math.plus(...data.history.slice(-steps));
    return { scores: math.times(data.candidates, user) };
  };

  return {
    question: { zh: "一个问题？", en: "One question?" },
    predict: { zh: "把手往右，会怎样？", en: "what will happen to the right?" },
    source: { zh: "由……在网页里现算。", en: "Computed in this page by ..." },
    handles: (data) => [
      {
        name: "steps", kind: "range", min: 1, max: data.history.length,
        label: { zh: "步数", en: "Steps" },
      },
    ],
    states: [
      { label: { zh: "全部", en: "all" }, state: { steps: 4 } },
      { label: { zh: "一半", en: "half" }, state: { steps: 2 } },
      { label: { zh: "最后一步", en: "the last" }, state: { steps: 1 } },
    ],
    compute,
    draw: ({ scores }, state, kit, data) => kit.bars(
      scores.map((value, i) => ({ label: data.words.titles[i], value })),
      { low: -3, high: 3 },
    ),
    say: ({ scores }, { steps }, kit, data) => {
      const best = data.words.titles[math.order(scores)[0]];
      return {
        zh: `最后 ${steps} 步，第一名是 ${best}。`,
        en: `Last ${steps}: ${best} comes first.`,
      };
    },
  };
})());
