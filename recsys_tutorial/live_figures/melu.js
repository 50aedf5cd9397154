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
    question: { zh: "五个评分，能教会模型什么：一个人的松紧，还是口味？", en: "What do five ratings teach the model: how strict a person is, or their taste?" },
    predict: { zh: "五部全给五星时，下面每部都往上走。把后两部改成一星，会怎样：一起往下，还是有上有下？", en: "with five stars for all five, every film below goes up. Take the last two down to one star: will all go down together, or each its own way?" },
    source: {
      zh: "由本章训练好的 MeLU 在网页里现算，梯度也在这里求；人是图 1 的那一位，这五部片子的星数由你来给。",
      en: "Computed in this page, gradients included, by the MeLU that the chapter has trained, for the person of Figure 1; the stars of these five films are yours to give.",
    },
    handles: (data) => [
      ...data.words.support.map((label, i) => ({ name: `film${i}`, kind: "range", min: 1, max: 5, label, text: (v) => ({ zh: `${v} 星`, en: `${v} star${v > 1 ? "s" : ""}` }) })),
      { name: "steps", kind: "range", min: 1, max: 5, label: { zh: "局部步数", en: "Local steps" }, text: (v) => ({ zh: `${v} 步`, en: `${v} step${v > 1 ? "s" : ""}` }) },
    ],
    states: [
      { label: { zh: "全是五星", en: "five stars for all" }, state: rated([5, 5, 5, 5, 5], 3) },
      { label: { zh: "后两部一星", en: "one star for the last two" }, state: rated([5, 5, 5, 1, 1], 3) },
      { label: { zh: "同样的星，只走一步", en: "the same stars, one step" }, state: rated([5, 5, 5, 1, 1], 1) },
    ],
    compute,
    draw: ({ before, after }, { steps }, kit, data) => {
      const first = math.order(before), last = math.order(after), titles = data.words.titles;
      const moves = after.map((value, i) => value - before[i]);
      const high = Math.max(...moves.map(Math.abs), 0.5);
      const low = Math.min(...moves) < 0 ? -high : 0;
      const climbed = last.map((i, place) => first.indexOf(i) - place);
      return kit.beside(
        kit.bars(last.map((i, place) => ({
          label: `${titles[i]}${climbed[place] ? ` ${climbed[place] > 0 ? "↑" : "↓"}${Math.abs(climbed[place])}` : ""}`,
          value: moves[i], colour: moves[i] < 0 ? "rust" : "blue", strong: Math.abs(climbed[place]) > 2,
        })), { low, high, title: { zh: `走 ${steps} 步之后的次序；条形：动了几颗星`, en: `The order after ${steps} step${steps > 1 ? "s" : ""}; bars: stars gained or lost` } }),
        kit.list(first.map((i) => ({ label: titles[i], note: kit.number(before[i]) })), { title: { zh: "走之前：同龄、同性别、同职业的人都看到它", en: "Before: what all of this age, gender and job see" } }),
      );
    },
    say: ({ after, common }, state, kit, data) => {
      const best = math.order(after).slice(0, 3).map((i) => data.words.titles[i]), part = kit.percent(common);
      return {
        zh: `所有片子共有的移动占 ${part}，${common < 0.5 ? "其余是口味" : "多半是松紧"}；最前面是 ${best.join("、")}。`,
        en: `${part} of the moves is common to all films: ${common < 0.5 ? "the rest is taste" : "mostly strictness"}. Now first: ${best.join("; ")}.`,
      };
    },
  };
})());
