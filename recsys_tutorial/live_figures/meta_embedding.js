// Meta-Embedding: one gradient step for each ten samples.
"use strict";

recsysLive.figure("meta_embedding", (() => {
  const { math } = recsysLive;

  // The frozen DeepFM.
  const deepfm = (data, phi) => {
    const D = phi.length, [linear] = data.linear, [output] = data.output;
    const own = data.hidden.map((row) => math.dot(phi, row));
    const base = math.dot(phi, linear) + data.linear_bias[0];
    const pair = phi.map((value, d) => value + linear[D + d]);  // with c: linear and product
    return [({ c, still }) => {
      let logit = base + math.dot(pair, c);
      for (let h = 0; h < own.length; h += 1) logit += Math.max(own[h] + still[h], 0) * output[h];
      return math.sigmoid(logit);
    }, own];
  };

  // Eq. (12), on phi alone.
  const step = (data, phi, users, clicked, rate) => {
    const [chance, own] = deepfm(data, phi), deep = own.map(() => 0);
    const slope = phi.map(() => 0);
    users.forEach((user, j) => {
      const error = (chance(user) - clicked[j]) / users.length;
      for (let h = 0; h < deep.length; h += 1) deep[h] += own[h] + user.still[h] > 0 ? error * data.output[0][h] : 0;
      for (let d = 0; d < slope.length; d += 1) slope[d] += error * (data.linear[0][d] + user.c[d]);
    });
    return phi.map((value, d) => value - rate * (slope[d] + deep.reduce((sum, s, h) => sum + s * data.hidden[h][d], 0)));
  };

  const compute = (data, { samples, content }) => {
    const { K, rate } = data.words, n = data.clicked[0].length, items = data.content.length;
    const beside = data.hidden.map((row) => row.slice(data.random[0].length));
    const all = data.users.map((c) => ({ c, still: math.linear(beside, data.hidden_bias, c) }));
    const users = data.who.map((ids) => ids.map((u) => all[u]));
    const told = data.content.map((own, i) => [own, data.content[(i + 1) % items], own.map(() => 0)][content]);
    const generated = told.map((u) => math.times(data.generator, u).map(Math.tanh));
    const chances = [], errors = [[], []];
    [data.random, generated].forEach((table, s) => {
      for (let k = 0; k <= n / K; k += 1) {
        const batch = [(k - 1) * K, k * K];
        if (k) table = table.map((phi, i) => step(data, phi, users[i].slice(...batch), data.clicked[i].slice(...batch), rate));
        const now = table.map((phi, i) => users[i].slice(n).map(deepfm(data, phi)[0]));
        if (k === samples) chances.push(now);
        const wrong = now.flatMap((row, i) => row.map((p, j) => Math.abs(p - data.truth[i][j])));
        errors[s].push(math.sum(wrong) / wrong.length);
      }
    });
    return { chances, errors };
  };

  const STARTS = [{ zh: "随机的起点", en: "random start" }, { zh: "生成的起点", en: "generated start" }];
  const seen = (k, data) => ({ zh: `${k * data.words.K} 个样本`, en: `${k * data.words.K} samples` });

  return {
    question: { zh: "新物品的嵌入：随机起步，还是由内容生成？", en: "A new item's embedding: start at random, or generate it from its content?" },
    predict: { zh: "让生成器读另一个物品的内容来生成嵌入，还比随机起点好吗？", en: "let the generator read another item's content: still better than a random start?" },
    source: {
      zh: "模拟世界，真相已知；模型由笔记本训练，网页里现算。24 个新物品，各五位没用来更新的用户。",
      en: "A simulated world with known truth; models from the notebook, computed here. 24 new items, five users each that no step has seen.",
    },
    handles: (data) => [
      { name: "samples", kind: "range", min: 0, max: data.clicked[0].length / data.words.K, label: { zh: "每个新物品见过的样本", en: "Samples seen of each new item" }, text: seen },
      { name: "content", kind: "choice", label: { zh: "生成器读的内容", en: "Content the generator reads" }, options: [{ zh: "自己的", en: "its own" }, { zh: "别的物品的", en: "another item's" }, { zh: "没有", en: "none" }] },
    ],
    states: [
      { label: { zh: "冷启动", en: "cold" }, state: { samples: 0, content: 0 } },
      { label: { zh: "30 个样本之后", en: "30 samples" }, state: { samples: 3, content: 0 } },
      { label: { zh: "给错内容", en: "the wrong content" }, state: { samples: 0, content: 1 } },
    ],
    compute,
    draw: ({ chances, errors }, { samples }, kit, data) => {
      const wide = kit.width > 560 ? (kit.width - 28) / 2 : kit.width, high = errors[0].length - 1;
      const starts = (draw) => STARTS.map((name, s) => draw(s, ["blue", "rust"][s], name));
      const axis = (label) => ({ low: 0, high: 1, digits: 1, ticks: [0, 0.5, 1], label });
      const clouds = starts((s, colour, label) => kit.plot({
        wide, label, height: 210, x: axis({ zh: "真实的点击概率", en: "true chance of a click" }),
        y: axis({ zh: `${label.zh}：预测的概率`, en: `Predicted chance, ${label.en}` }),
        marks: [{ line: [[0, 0], [1, 1]], colour: "grey", dashed: true }, {
          dots: chances[s].flatMap((row, i) => row.map((p, j) => [data.truth[i][j], p])), size: 2.5, colour,
        }],
      }));
      const label = { zh: "预测概率的平均误差（随机对生成）", en: "Mean error of the predicted chance (random against generated)" };
      return kit.text({ zh: "每个点：一个新物品和一位用户；在虚线上就对。", en: "Each dot: one new item with one user; on the dashed line = right." }) + kit.beside(...clouds) + kit.plot({
        label, height: 190, y: { low: 0, high: 0.3, digits: 1, ticks: [0, 0.1, 0.2, 0.3], label },
        x: { low: 0, high, ticks: math.range(high + 1), text: (k) => k * data.words.K, label: { zh: "每个新物品见过的样本", en: "Samples seen of each new item" } },
        marks: [{ rule: samples, colour: "grey", dashed: true }, ...starts((s, colour, name) => ({
          line: errors[s].map((e, k) => [k, e]), dots: [[samples, errors[s][samples]]], size: 5, colour, name,
        }))],
      });
    },
    say: ({ errors }, { samples }, kit, data) => {
      const [random, made] = errors.map((e) => e[samples]), until = errors[0].findIndex((e) => e <= made);
      const [told, then] = [samples, until < 0 ? errors[0].length - 1 : until].map((k) => seen(k, data)), gap = made - random, still = samples && errors[1][0] - made < 0.005, [a, b] = [random, made].map((e) => kit.number(e, 3));
      const so = Math.abs(gap) < 0.005 ? { zh: "几乎一样", en: "about the same" }
        : gap > 0 ? { zh: "生成的还不如随机的", en: "worse than random" }
          : until < 0 ? { zh: `随机的到 ${then.zh}也没追上`, en: `random has not caught up within ${then.en}` }
            : { zh: `${still ? "它几乎没动，" : ""}随机的要到 ${then.zh}才追到 ${b}`, en: `${still ? "that has hardly moved, and " : ""}random reaches ${b} only at ${then.en}` };
      return {
        zh: `${told.zh}：平均误差，随机的起点 ${a}，生成的 ${b}；${so.zh}。`,
        en: `${told.en}: mean error ${a} from a random start, ${b} from the generated one; ${so.en}.`,
      };
    },
  };
})());
