// PLE on the census: mask and levels; what share of a task's gradient each expert gets,
// and which way it comes.
"use strict";

recsysLive.figure("ple", (() => {
  const { math } = recsysLive;
  const MODELS = ["MMoE", "CGC", "ML-MMoE", "PLE"];
  const TASKS = [{ zh: "收入", en: "income" }, { zh: "从未结婚", en: "never married" }];
  const COLOURS = ["blue", "rust", "green"];
  const EXPERTS = ["i1", "i2", "n1", "n2", "s1", "s2", "s3", "s4"];
  const LEAST = 0.005;  // a way that carries less is grey
  const owner = (e) => (e < 4 ? e >> 1 : 2);  // of an expert; 2 are the shared ones
  const open = (q, e, mask) => !mask || q === 2 || owner(e) === q || owner(e) === 2;

  const mix = (weights, experts) => math.times(math.transpose(experts), weights);
  const length = (x) => Math.sqrt(math.dot(x, x));
  const shares = (x) => math.scale(x, 1 / (math.sum(x) || 1));
  const mean = (rows) => math.scale(math.plus(...rows), 1 / rows.length);

  // One person's gradient, from the logit of a task down.
  const person = (data, i, { mask, deep, task }) => {
    const part = (name) => data[`${name}_${MODELS[(mask ? 1 : 0) + (deep ? 2 : 0)]}`];
    const gates = part("gates")[i].map(shares);
    const fused = gates.map((weights) => mix(weights, part("experts")[i]));
    const hidden = part("hidden")[task], output = math.transpose(part("output")[task])[0];
    const slope = (read) => {  // of the tower, at what it reads
      const inner = math.linear(math.transpose(hidden), part("hidden_bias")[task][0], read);
      return math.times(hidden, output.map((w, h) => (inner[h] > 0 ? w : 0)));
    };
    const direct = (weights, v) => shares(math.scale(weights, length(v)));
    if (!deep) return { gates, levels: [direct(gates[task], slope(fused[task]))], mixes: [] };
    const inner = EXPERTS.map((_, e) => math.linear(part("upper")[e], part("upper_bias")[e], fused[owner(e)]));
    const said = inner.map(math.relu), asks = math.transpose(part("upper_gates")[task]);
    const weights = math.softmax(asks.map((ask, e) => (open(task, e, mask) ? math.dot(ask, fused[task]) : -Infinity)));
    const top = mix(weights, said), v = slope(top);
    const back = fused.map((f) => f.map(() => 0));  // what comes to the mixtures below
    const add = (q, x) => { back[q] = math.plus(back[q], x); };
    said.forEach((one, e) => {
      add(owner(e), mix(inner[e].map((s, h) => (s > 0 ? weights[e] * v[h] : 0)), part("upper")[e]));
      add(task, math.scale(asks[e], weights[e] * (math.dot(one, v) - math.dot(top, v))));  // by the gate
    });
    const below = EXPERTS.map((_, e) => length(mix(gates.map((w) => w[e]), back)));
    return { gates, levels: [direct(weights, v), shares(below)], mixes: shares(back.map(length)) };
  };

  const compute = (data, state) => {
    const people = data.experts_PLE.map((_, i) => person(data, i, state));
    const over = (name) => people[0][name].map((_, j) => mean(people.map((one) => one[name][j])));
    return { levels: over("levels"), gates: over("gates"), mixes: state.deep ? mean(people.map((one) => one.mixes)) : [] };
  };

  return {
    question: { zh: "一个任务的梯度，教得到别人的专家吗？", en: "Does the gradient of one task reach the experts of the other?" },
    predict: { zh: "只让“收入”反向传播。“从未结婚”私有的 n1、n2，在上层分得到梯度吗？在下层呢？", en: "income alone goes backwards. Do n1 and n2, never married's own, get any of its gradient in the upper level? And in the lower?" },
    source: {
      zh: "由本章在 Adult 上训练好的四个模型在网页里现算：混合、反向传播，二十四个人平均。数字是一位专家分到本层梯度的百分之几；不足 0.5% 的路是灰的，遮住的不画。",
      en: "Computed in this page by the chapter's four models of Adult: mixtures and the way back, averaged over twenty-four people. A number is an expert's share of the gradient in its level, in per cent; ways with less than 0.5% are grey, masked ones are not drawn.",
    },
    handles: [
      { name: "mask", kind: "switch", label: { zh: "遮罩", en: "mask" } },
      { name: "deep", kind: "switch", label: { zh: "两层", en: "two levels" } },
      { name: "task", kind: "choice", options: TASKS, label: { zh: "谁的梯度", en: "Gradient of" } },
    ],
    states: [
      { label: { zh: "PLE", en: "PLE" }, state: { mask: true, deep: true, task: 0 } },
      { label: { zh: "CGC：只有一层", en: "CGC: one level" }, state: { mask: true, deep: false, task: 0 } },
      { label: { zh: "ML-MMoE：没有遮罩", en: "ML-MMoE: no mask" }, state: { mask: false, deep: true, task: 0 } },
    ],
    compute,
    draw: ({ levels, gates, mixes }, { mask, deep, task }, kit) => {
      const ways = [], dots = [], heights = deep ? [4.6, 1] : [1], top = heights[0] + 1.2;
      const x = (e) => e + 0.4 * owner(e), middle = [0.5, 2.9, 6.3];
      const way = (from, to, share) => ways.push({ line: [from, to], colour: share < LEAST ? "line" : COLOURS[task] });
      const dot = (at, size, colour, share = 1) => dots.push({ dots: [at], size, colour: share < LEAST ? "grey" : colour });
      EXPERTS.forEach((name, e) => {
        if (open(task, e, mask)) way([middle[task], top], [x(e), heights[0]], levels[0][e]);
        if (deep) way([x(e), 3.75], [middle[owner(e)], 2.8], levels[0][e]);
        mixes.forEach((share, q) => { if (open(q, e, mask)) way([middle[q], 2.8], [x(e), 1], share * gates[q][e]); });
        levels.forEach((level, j) => {
          dot([x(e), heights[j]], 3 + 9 * Math.sqrt(level[e]), COLOURS[owner(e)], level[e]);
          dots.push({ words: name, at: [x(e), heights[j] - 0.45], anchor: "middle", colour: "pale" });
          dots.push({ words: level[e] ? kit.number(100 * level[e], level[e] < 0.1 ? 1 : 0) : 0, at: [x(e), heights[j] - 0.75], anchor: "middle" });
        });
      });
      mixes.forEach((share, q) => dot([middle[q], 2.8], 5, COLOURS[task], share));
      dot([middle[task], top], 7, COLOURS[task]);
      dots.push({ words: TASKS[task], at: [middle[task] + 0.3, top + 0.15], colour: COLOURS[task] });
      return kit.plot({
        x: { low: -0.9, high: 8.3, ticks: [] }, y: { low: 0, high: top + 0.4, ticks: heights, text: (y) => `j = ${y > 1 ? 2 : 1}` }, height: deep ? 400 : 190, marks: [...ways.sort((a) => (a.colour === "line" ? -1 : 1)), ...dots],
        label: { zh: "从任务到专家，梯度走的路", en: "The ways of the gradient, from a task to the experts" },
      });
    },
    say: ({ levels }, { mask, deep, task }, kit) => {
      const name = MODELS[(mask ? 1 : 0) + (deep ? 2 : 0)], me = TASKS[task], other = TASKS[1 - task];
      const [up, down] = levels.map((level) => kit.percent(level[2 - 2 * task] + level[3 - 2 * task], 1));
      return {
        zh: `${name}：“${me.zh}”的梯度，分给“${other.zh}”私有专家的${deep ? `，上层 ${up}，下层 ${down}` : `是 ${up}`}。`,
        en: `${name}: of the gradient of "${me.en}", ${deep ? `${up} in the upper level and ${down} in the lower go` : `${up} goes`} to the experts of "${other.en}".`,
      };
    },
  };
})());
