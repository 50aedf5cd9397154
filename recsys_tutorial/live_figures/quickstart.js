// The quick start's DIN: films you like, and the eight that it puts first.
"use strict";

recsysLive.figure("quickstart", (() => {
  const { math } = recsysLive;
  const SHOWN = 8, STEPS = 50;  // the longest history in training, by which sums are scaled

  // The user vector that a candidate sees, Eq. (3) of DIN: the hidden layer's four
  // blocks apart, so that a candidate meets all steps with one matrix.
  const user = (data, steps, times, asked) => {
    const D = asked.length, at = (w, block, d) => w[block * D + d];
    const row = data.hidden.map((w, h) => data.hidden_bias[h] + math.sum(asked.map((x, d) => x * (at(w, 0, d) + at(w, 2, d)))));
    const meets = data.hidden.map((w) => asked.map((x, d) => at(w, 1, d) - at(w, 2, d) + x * at(w, 3, d)));
    const weights = steps.map((step) => {
      const s = math.prelu(math.linear(meets, row, step), data.alpha);
      return (math.dot(data.output[0], s) + data.output_bias[0]) * times / STEPS;
    });
    return asked.map((_, d) => math.sum(steps.map((step, j) => weights[j] * step[d])));
  };

  const compute = (data, { liked, times }) => {
    const steps = liked.map((j) => data.liked[j]);
    const scores = data.offered.map((asked) => {
      let x = [...user(data, steps, times, asked), ...asked];
      x = math.prelu(math.linear(data.first, data.first_bias, x), data.first_alpha);
      x = math.prelu(math.linear(data.second, data.second_bias, x), data.second_alpha);
      return math.dot(data.last[0], x) + data.last_bias[0];
    });
    return { scores };
  };

  // The order of the films when nothing is known, worked out once.
  const orders = new WeakMap();
  const untold = (data) => orders.get(data)
    || orders.set(data, math.order(compute(data, { liked: [], times: 1 }).scores)).get(data);

  const group = (k) => math.range(4).map((i) => 4 * k + i);
  return {
    question: { zh: "告诉它你喜欢什么，八部推荐会变多少？", en: "Tell it what you like: how much of the list of eight changes?" },
    predict: { zh: "四部动画片，每部在历史里重复五次，名单就变成这样。要是每部只占一步，八部里有几部是新的？", en: "four cartoons, each five times in the history, give this list. How many of the eight are new if each is there once?" },
    source: {
      zh: "由上面训练好的 DIN 在网页里现算，只给固定的几十部候选打分。训练时的历史最长 50 步，分数按 50 步来除：四部各一步，占的分量很小，所以每部可以重复几次。",
      en: "Computed in this page by the DIN trained above; it scores a few dozen candidates only. In training a history has up to 50 steps, by which sums are divided: four films of one step each weigh little, and so a film may be repeated.",
    },
    handles: (data) => [
      { name: "liked", kind: "several", options: data.words.liked, label: { zh: "你喜欢的", en: "You like" } },
      { name: "times", kind: "range", min: 1, max: 10, label: { zh: "每部在历史里重复几次", en: "Repetitions of each in the history" } },
    ],
    states: [
      { label: { zh: "四部动画片", en: "four cartoons" }, state: { liked: group(1), times: 5 } },
      { label: { zh: "同样四部，各一次", en: "the same four, once each" }, state: { liked: group(1), times: 1 } },
      { label: { zh: "什么也不说", en: "tell it nothing" }, state: { liked: [], times: 5 } },
    ],
    compute,
    draw: ({ scores }, state, kit, data) => {
      const before = untold(data), now = math.order(scores);
      const moved = (i) => {
        const up = before.indexOf(i) - now.indexOf(i);
        return up ? `${up > 0 ? "↑" : "↓"}${Math.abs(up)}` : "=";
      };
      const rows = (order, note) => order.slice(0, SHOWN).map((i) => ({
        label: data.words.offered[i], note: note && note(i), strong: note && before.indexOf(i) >= SHOWN,
      }));
      return kit.beside(
        kit.list(rows(now, moved), { title: { zh: "给你的八部（粗体新上榜；箭头：比另一份名单升降几名）", en: "Eight for you (bold: new; arrows: places won or lost against the other list)" } }),
        kit.list(rows(before), { title: { zh: "什么也不说时的八部", en: "Eight when it is told nothing" } }),
      );
    },
    say: ({ scores }, { liked }, kit, data) => {
      const before = untold(data).slice(0, SHOWN);
      const now = math.order(scores).slice(0, SHOWN), fresh = now.filter((i) => !before.includes(i)).length;
      const first = data.words.offered[now[0]], n = liked.length;
      return {
        zh: n ? `知道你喜欢 ${n} 部：排第一的是 ${first}，八部里有 ${fresh} 部是新上榜的。` : "什么也没说：就是默认的名单，一部没换。",
        en: !n ? "Told nothing, it gives the list for nobody in particular." : `It knows ${n} film${n === 1 ? "" : "s"} that you like: ${first} comes first, and ${fresh} of the eight ${fresh === 1 ? "is" : "are"} new.`,
      };
    },
  };
})());
