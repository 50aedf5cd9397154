// MeLU on films: five ratings, and the local steps on the decision layers, taken here.
"use strict";

recsysLive.figure("melu", (() => {
  const { math } = recsysLive;

  // What each layer gets for a pair x, and the rating, Eq. (3).
  const through = (layers, mean, x) => {
    const inputs = [x];
    for (const { W, b } of layers.slice(0, -1)) inputs.push(math.relu(math.linear(W, b, inputs.at(-1))));
    const { W, b } = layers.at(-1);
    return { inputs, rating: mean + math.linear(W, b, inputs.at(-1))[0] };
  };

  // One local step: all layers down the gradient of the mean squared error.
  const step = (layers, mean, rate, support, stars) => {
    const next = layers.map(({ W, b }) => ({ W: W.map((row) => [...row]), b: [...b] }));
    support.forEach((x, i) => {
      const { inputs, rating } = through(layers, mean, x);
      let slope = [2 * (rating - stars[i]) / support.length];
      for (let l = layers.length - 1; l >= 0; l -= 1) {
        slope.forEach((s, o) => {
          if (!s) return;
          next[l].b[o] -= rate * s;
          inputs[l].forEach((value, j) => { next[l].W[o][j] -= rate * s * value; });
        });
        const back = l ? math.times(math.transpose(layers[l].W), slope) : [];
        slope = back.map((s, j) => (inputs[l][j] > 0 ? s : 0));
      }
    });
    return next;
  };

  const compute = (data, state) => {
    const { mean, rate } = data.words;
    const stars = data.support.map((_, i) => state[`film${i}`]);
    let layers = [1, 2, 3].map((l) => ({ W: data[`weight${l}`], b: data[`bias${l}`] }));
    const ratings = () => data.query.map((x) => through(layers, mean, x).rating);
    const before = ratings();
    for (let k = 0; k < state.steps; k += 1) layers = step(layers, mean, rate, data.support, stars);
    const after = ratings();
    const moves = after.map((value, i) => value - before[i]);
    const common = math.sum(moves) ** 2 / moves.length / math.dot(moves, moves);
    return { before, after, common };
  };

  const rated = (stars, steps) => ({ ...Object.fromEntries(stars.map((s, i) => [`film${i}`, s])), steps });

  return {
    question: { zh: "五个评分先教会模型什么：打分手松手紧，还是口味？", en: "What do five ratings teach the model first: how freely this person gives stars, or their taste?" },
    predict: { zh: "五部全给五星，下面每部都往上走。后两部改成一星，会一起往下，还是有上有下？只走一步梯度呢？", en: "with five stars for all five, every film below goes up. With one star for the last two, will all go down together, or each its own way? And after a single gradient step?" },
    source: {
      zh: "由本章训练好的 MeLU 在网页里现算，梯度也在这里求；人是图 1 的那一位，这五部片子的星数由你来给。一起动的占比 = 平均变动的平方 ÷ 各片变动平方的平均；预测不截在五星。",
      en: "Computed in this page, gradients included, by the MeLU that the chapter has trained, for the person of Figure 1; the stars of these five films are yours to give. Shared part = square of the mean move ÷ mean of the squared moves; predictions are not cut at five stars.",
    },
    handles: (data) => [
      ...data.words.support.map((label, i) => ({ name: `film${i}`, kind: "range", min: 1, max: 5, label, text: (v) => ({ zh: `${v} 星`, en: `${v} star${v > 1 ? "s" : ""}` }) })),
      { name: "steps", kind: "range", min: 1, max: 5, label: { zh: "梯度步数", en: "Gradient steps" }, text: (v) => ({ zh: `${v} 步`, en: `${v} step${v > 1 ? "s" : ""}` }) },
    ],
    states: [
      { label: { zh: "全是五星", en: "five stars for all" }, state: rated([5, 5, 5, 5, 5], 3) },
      { label: { zh: "后两部一星", en: "one star for the last two" }, state: rated([5, 5, 5, 1, 1], 3) },
      { label: { zh: "只讨厌 Aladdin", en: "dislikes only Aladdin" }, state: rated([5, 5, 5, 5, 1], 3) },
    ],
    compute,
    draw: ({ before, after }, { steps }, kit, data) => {
      const first = math.order(before), last = math.order(after), titles = data.words.titles;
      const moves = after.map((value, i) => value - before[i]);
      const climbed = last.map((i, place) => first.indexOf(i) - place);
      return kit.beside(
        kit.bars(last.map((i, place) => ({
          label: `${titles[i]}${climbed[place] ? ` ${climbed[place] > 0 ? "↑" : "↓"}${Math.abs(climbed[place])}` : ""}`,
          value: moves[i], colour: moves[i] < 0 ? "rust" : "blue", strong: Math.abs(climbed[place]) > 2,
        })), { low: -1.5, high: 1.5, title: { zh: `走 ${steps} 步梯度之后：新次序（↑↓ 是名次升降），和每部的预测变了几颗星（条形只画到 ±1.5）`, en: `After ${steps} gradient step${steps > 1 ? "s" : ""}: the new order (↑↓ places moved), and by how many stars each prediction changed (bars end at ±1.5)` } }),
        kit.list(first.map((i) => ({ label: titles[i], note: kit.number(before[i]) })), { title: { zh: "走之前：同年龄、性别、职业的人，看到的都是这张榜（预测几星）", en: "Before: everybody of this age, gender and job sees this list (stars predicted)" } }),
      );
    },
    say: ({ before, after, common }, { steps }, kit, data) => {
      const { titles } = data.words, best = math.order(after).slice(0, 3).map((i) => titles[i]), part = kit.percent(common);
      const moves = after.map((value, i) => value - before[i]), i = math.order(moves).at(-1), least = kit.number(moves[i]);
      return {
        zh: `第 ${steps} 步：${common < 0.5 ? `一起动的只占 ${part}，其余各片不同` : `${part} 是各片一起动（手松手紧）`}；${moves[i] < 0 ? "跌得最多" : "涨得最少"}的是 ${titles[i]}（${least}）。最前面是 ${best.join("、")}。`,
        en: `Step ${steps}: of the movement, ${common < 0.5 ? `${part} is shared by all films; the rest differs by film` : `${part} is shared by all films (how freely stars are given)`}. ${titles[i]} ${moves[i] < 0 ? "falls most" : "rises least"} (${least}). Now first: ${best.join("; ")}.`,
      };
    },
  };
})());
