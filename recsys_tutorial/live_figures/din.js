// DIN on films: a candidate asks a history; the weight of each film in it.
"use strict";

recsysLive.figure("din", (() => {
  const { math } = recsysLive;

  // The activation unit of Eq. (3) on [candidate, step, difference, product].
  const unit = (data, step, candidate) => {
    const difference = candidate.map((value, i) => value - step[i]);
    const product = candidate.map((value, i) => value * step[i]);
    const s = math.linear(data.hidden, data.hidden_bias, [...candidate, ...step, ...difference, ...product]);
    return math.dot(data.output[0], math.prelu(s, data.alpha)) + data.output_bias[0];
  };

  const compute = (data, { candidate, softmax, padded, masked }) => {
    const none = data.history[0].map(() => 0);  // the embedding of id 0
    const steps = [...data.history, ...(padded ? math.range(data.words.padding).map(() => none) : [])];
    const real = steps.map((_, j) => j < data.history.length || !masked);
    const scores = steps.map((step) => unit(data, step, data.candidates[candidate]));
    const open = scores.map((score, j) => (real[j] ? score : -Infinity));
    const weights = softmax ? math.softmax(open) : scores.map((score, j) => (real[j] ? score : 0));
    const L = data.history.length;
    return { weights: weights.slice(0, L), padding: math.sum(weights.slice(L)) };
  };

  return {
    question: { zh: "换一部候选，历史里该听谁的？", en: "Another candidate: which films of the history should be asked?" },
    predict: { zh: "候选从《惊声尖叫》换成《木偶奇遇记》，权重会从哪些片子移到哪些片子？", en: "from Scream to Pinocchio, which films lose their weight, and which gain it?" },
    source: {
      zh: "由本章训练好的激活单元在网页里现算。训练时没有 softmax；打开它，看的是同样的分数归一化以后的样子。填充是补在历史后面的空步；各步的分数越平，softmax 给它的越多。",
      en: "Computed in this page by the activation unit that the chapter has trained. It was trained without a softmax; the switch shows the same scores normalised. Padding is empty steps after the history; the flatter the scores, the more a softmax gives them.",
    },
    handles: (data) => [
      { name: "candidate", kind: "choice", options: data.words.candidates, label: { zh: "候选", en: "Candidate" } },
      { name: "softmax", kind: "switch", label: { zh: "softmax：权重之和为 1", en: "softmax: weights sum to 1" } },
      { name: "padded", kind: "switch", label: { zh: `补 ${data.words.padding} 步填充`, en: `add ${data.words.padding} steps of padding` } },
      { name: "masked", kind: "switch", label: { zh: "掩码：填充不算数", en: "mask: padding does not count" } },
    ],
    states: [
      { label: { zh: "《惊声尖叫》", en: "Scream" }, state: { candidate: 1, softmax: false, padded: false, masked: true } },
      { label: { zh: "《木偶奇遇记》", en: "Pinocchio" }, state: { candidate: 0, softmax: false, padded: false, masked: true } },
      { label: { zh: "《卡萨布兰卡》，忘了掩码", en: "Casablanca, the mask forgotten" }, state: { candidate: 3, softmax: true, padded: true, masked: false } },
    ],
    compute,
    draw: ({ weights, padding }, { softmax, padded }, kit, data) => {
      const high = Math.max(...weights.map(Math.abs), Math.abs(padding), 0.01);
      const low = Math.min(0, ...weights, padding);
      const rows = weights.map((value, j) => ({ label: data.words.titles[j], value, colour: value < 0 ? "blue" : "rust" }));
      if (padded) rows.unshift({ label: { zh: "全部填充，合计", en: "all padding together" }, value: padding, colour: "grey", strong: true });
      return kit.bars(rows, {
        low, high, digits: softmax ? 3 : 2, title: { zh: "历史，从早到晚；每一步的权重（橙为正，蓝为负）", en: "The history, oldest first; the weight of each step (orange above zero, blue below)" },
      });
    },
    say: ({ weights, padding }, { candidate, padded }, kit, data) => {
      const best = math.order(weights).slice(0, 3).map((j) => data.words.titles[j]);
      const asked = data.words.candidates[candidate];
      const total = kit.number(math.sum(weights) + (padded ? padding : 0), 1), part = kit.number(padding);
      const share = padded ? { zh: `，其中填充占 ${part}`, en: `, of which padding has ${part}` } : { zh: "", en: "" };
      return {
        zh: `候选 ${asked}：权重最大的是 ${best.join("、")}；权重之和 ${total}${share.zh}。`,
        en: `${asked}: most weight on ${best.join("; ")}. The weights sum to ${total}${share.en}.`,
      };
    },
  };
})());
