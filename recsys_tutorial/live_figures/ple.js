// PLE: what share of a task's gradient each expert gets, and which way it comes.
"use strict";

recsysLive.figure("ple", (() => {
  const { math } = recsysLive;
  const MODELS = ["MMoE", "CGC", "ML-MMoE", "PLE"];
  const TASKS = [{ zh: "收入", en: "income" }, { zh: "从未结婚", en: "never married" }];
  const COLOURS = ["blue", "rust", "green"];
  const EXPERTS = "i1 i2 n1 n2 s1 s2 s3 s4".split(" ");
  const LEAST = 0.005;
  const owner = (e) => (e < 4 ? e >> 1 : 2);  // 2: shared
  const open = (q, e, mask) => !mask || q === 2 || owner(e) === q || owner(e) === 2;

  const called = (mask, deep) => MODELS[+mask + 2 * deep];
  const mix = (weights, experts) => math.times(math.transpose(experts), weights);
  const shares = (x) => math.scale(x, 1 / (math.sum(x) || 1));
  const mean = (rows) => math.scale(math.plus(...rows), 1 / rows.length);

  // One person's gradient, from a task down.
  const person = (data, i, { mask, deep, task }) => {
    const part = (name) => data[`${name}_${called(mask, deep)}`];
    const gates = part("gates")[i].map(shares);
    const fused = gates.map((weights) => mix(weights, part("experts")[i]));
    const hidden = part("hidden")[task], output = math.transpose(part("output")[task])[0];
    const slope = (read) => {
      const inner = math.linear(math.transpose(hidden), part("hidden_bias")[task][0], read);
      return math.times(hidden, output.map((w, h) => (inner[h] > 0 ? w : 0)));
    };
    const direct = (weights, v) => shares(math.scale(weights, math.norm(v)));
    if (!deep) return { gates, levels: [direct(gates[task], slope(fused[task]))], mixes: [] };
    const inner = EXPERTS.map((_, e) => math.linear(part("upper")[e], part("upper_bias")[e], fused[owner(e)]));
    const said = inner.map(math.relu), asks = math.transpose(part("upper_gates")[task]);
    const weights = math.softmax(asks.map((ask, e) => (open(task, e, mask) ? math.dot(ask, fused[task]) : -Infinity)));
    const top = mix(weights, said), v = slope(top);
    const back = fused.map((f) => f.map(() => 0));  // at Σ
    const add = (q, x) => { back[q] = math.plus(back[q], x); };
    said.forEach((one, e) => {
      add(owner(e), mix(inner[e].map((s, h) => (s > 0 ? weights[e] * v[h] : 0)), part("upper")[e]));
      add(task, math.scale(asks[e], weights[e] * (math.dot(one, v) - math.dot(top, v))));  // by the gate
    });
    const below = EXPERTS.map((_, e) => math.norm(mix(gates.map((w) => w[e]), back)));
    return { gates, levels: [direct(weights, v), shares(below)], mixes: shares(back.map(math.norm)) };
  };

  const compute = (data, state) => {
    const people = data.experts_PLE.map((_, i) => person(data, i, state));
    const over = (name) => people[0][name].map((_, j) => mean(people.map((one) => one[name][j])));
    return { levels: over("levels"), gates: over("gates"), mixes: state.deep ? mean(people.map((one) => one.mixes)) : [] };
  };

  return {
    question: { zh: "一个任务的梯度，会流到另一个任务的专家那里吗？", en: "Does the gradient of one task reach the experts of the other?" },
    predict: { zh: "把“两层”的勾去掉，“收入”的梯度还到得了 n1, n2 吗？再去掉“遮罩”呢？", en: "untick “two levels”: does any of income's gradient reach n1, n2? And without the mask?" },
    source: {
      zh: "由本章在 Adult 上训练好的四个模型在网页里现算：混合、反向传播，对 24 人取平均。Σ 是门控的加权和；数字是专家分到本层梯度的百分之几，占比不足 0.5% 的点和连线画成灰色，被遮罩的不画。",
      en: "Computed in this page by the chapter's four models of Adult: mixing and backpropagation, averaged over 24 people. Σ is a gate's weighted sum; numbers: the share of the gradient in a level, in per cent; below 0.5% dots and lines are grey, masked ones not drawn.",
    },
    handles: [
      { name: "mask", kind: "switch", label: { zh: "遮罩", en: "mask" } },
      { name: "deep", kind: "switch", label: { zh: "两层", en: "two levels" } },
      { name: "task", kind: "choice", options: TASKS, label: { zh: "谁的梯度", en: "Gradient of" } },
    ],
    states: [
      { label: "PLE", state: { mask: true, deep: true, task: 0 } },
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
        const parts = shares(mixes.map((share, q) => share * gates[q][e]));
        parts.forEach((part, q) => { if (open(q, e, mask)) way([middle[q], 2.8], [x(e), 1], part * levels[1][e]); });
        levels.forEach((level, j) => {
          const below = (words, y, colour) => dots.push({ words, at: [x(e), heights[j] - y], anchor: "middle", colour });
          dot([x(e), heights[j]], 3 + 9 * Math.sqrt(level[e]), mask ? COLOURS[owner(e)] : "ink", level[e]);
          below(name, 0.45, "pale");
          below(level[e] ? kit.number(100 * level[e], level[e] < 0.1 ? 1 : 0) : 0, 0.75);
        });
      });
      mixes.forEach((share, q) => {
        dot([middle[q], 2.8], 5, COLOURS[task], share);
        dots.push({ words: `Σ ${"ins"[q]}`, at: [middle[q] + 0.2, 2.9] });
      });
      if (deep) [{ zh: "上层", en: "upper" }, { zh: "下层", en: "lower" }].forEach((words, j) => dots.push({ words, at: [-0.9, heights[j] + 0.5] }));
      if (mask) [...TASKS, { zh: "公有", en: "shared" }].forEach((name, q) => dots.push({ dots: [], colour: COLOURS[q], name }));
      dot([middle[task], top], 7, COLOURS[task]);
      dots.push({ words: TASKS[task], at: [middle[task] + 0.3, top + 0.15], colour: COLOURS[task] });
      return kit.plot({
        x: { low: -0.9, high: 8.3, ticks: [] }, y: { low: 0, high: top + 0.4, ticks: [] }, height: deep ? 400 : 190, marks: [...ways.sort((a) => (a.colour === "line" ? -1 : 1)), ...dots],
        label: TASKS[task],
      });
    },
    say: ({ levels }, { mask, deep, task }, kit) => {
      const { zh, en } = TASKS[task], to = task ? "i1, i2" : "n1, n2";
      const [up, down] = levels.map((level) => kit.percent(level[2 - 2 * task] + level[3 - 2 * task], 1));
      const why = !mask ? ["；没有遮罩，专家谁都能用", "; with no mask, both may use all"] : deep ? ["（经公有专家绕来）", ", round by the shared experts"] : ["，绕不过去", ": no way round"];
      return {
        zh: `${called(mask, deep)}：“${zh}”的梯度，${to} 分到${deep ? `上层 ${up}，下层 ${down}` : ` ${up}`}${why[0]}。`,
        en: `${called(mask, deep)}: of ${en}'s gradient, ${to} get ${deep ? `${up} above, ${down} below` : up}${why[1]}.`,
      };
    },
  };
})());
