// Four trained layers count: a softmax or HSTU's weights, without a start event or with it.
"use strict";

recsysLive.figure("hstu", (() => {
  const { math } = recsysLive;
  const MOST = 40, START = 11, TOPICS = 10;

  const silu = (value) => value * math.sigmoid(value);

  // Topic 1 is asked for; the others take turns.
  const events = ({ count, others }, start) => [
    ...(start ? [START] : []), ...math.range(count).map(() => 1),
    ...math.range(others).map((n) => 2 + n % (TOPICS - 1)),
  ];

  const normed = (x) => {
    const mean = math.mean(x), apart = x.map((value) => value - mean);
    return math.scale(apart, 1 / Math.sqrt(math.mean(apart.map((d) => d * d)) + 1e-5));
  };

  // Eqs. (1) to (3) for the step that asks, then two layers that read the number.
  const says = (own, softmax, start, state) => {
    const D = own.events[0].length;
    const parts = own.events.map((x) => math.linear(own.first, own.first_bias, x).map(silu));
    const part = (id, n) => parts[id].slice(n * D, (n + 1) * D);  // U, V, Q, K
    const history = events(state, start), query = part(1, 2);
    const products = history.map((id) => math.dot(part(id, 3), query));
    const weights = softmax ? math.softmax(math.scale(products, 1 / Math.sqrt(D)))
      : products.map((p) => silu(p) / MOST);
    const sum = math.plus(...history.map((id, i) => math.scale(part(id, 1), weights[i])));
    const gated = normed(sum).map((value, d) => value * part(1, 0)[d]);
    const hidden = math.relu(math.linear(own.hidden, own.hidden_bias, [...gated, ...own.events[1]]));
    return math.linear(own.out, own.out_bias, hidden)[0];
  };

  const compute = (data, state) => ({
    says: ["a_", "b_", "c_", "d_"].map((name, i) => {
      const own = Object.fromEntries(Object.entries(data).filter(([key]) => key.startsWith(name)).map(([key, x]) => [key.slice(2), x]));
      return says(own, i % 2 === 0, i > 1, state);
    }),
  });

  const NAMES = [
    { zh: "softmax", en: "softmax" }, { zh: "HSTU", en: "HSTU" },
    { zh: "softmax，有起始事件", en: "softmax, start event" }, { zh: "HSTU，有起始事件", en: "HSTU, start event" },
  ];

  return {
    question: { zh: "同一个话题出现了几次，四个网络各说几次？", en: "How often did the topic occur, and how often do four networks say?" },
    predict: {
      zh: "只添别的事件，真实次数不变，哪几个网络会改口？",
      en: "add other events and leave the true number alone: which networks change their minds?",
    },
    source: {
      zh: "由本章训练好的四个小网络在网页里现算，都有 HSTU 一层的核心，差别只在权重的算法，和历史最前面有没有一个总在那里的起始事件。",
      en: "Computed in this page by four small networks of this chapter. All have the core of HSTU's layer; they differ in the weights, and in whether an event that is always there stands in front of the history.",
    },
    handles: [
      { name: "count", kind: "range", min: 4, max: 20, label: { zh: "被问的话题出现几次", en: "Times that the topic occurs" } },
      { name: "others", kind: "range", min: 1, max: 20, label: { zh: "别的事件有几个", en: "Other events" } },
    ],
    states: [
      { label: { zh: "12 次，别的 4 个", en: "12 times, 4 others" }, state: { count: 12, others: 4 } },
      { label: { zh: "比例不变，6 次", en: "the same share, 6 times" }, state: { count: 6, others: 2 } },
      { label: { zh: "12 次，别的 20 个", en: "12 times, 20 others" }, state: { count: 12, others: 20 } },
    ],
    compute,
    draw: ({ says: all }, { count }, kit) => kit.bars([
      { label: { zh: "真实次数", en: "true number" }, value: count, colour: "grey", note: kit.number(count, 0) },
      ...all.map((value, i) => ({ label: NAMES[i], value, colour: i % 2 ? "blue" : "pink", note: kit.number(value, 1) })),
    ], { high: 25 }),
    say: ({ says: all }, { count, others }, kit) => {
      const [a, b, c, d] = all.map((value) => kit.number(value, 1));
      return {
        zh: `真实 ${count} 次，旁边有 ${others} 个别的事件。没有起始事件：softmax 说 ${a}，HSTU 说 ${b}；有起始事件：${c} 和 ${d}。`,
        en: `The truth is ${count}, beside ${others} other events. Without a start event the softmax says ${a} and HSTU ${b}; with it, ${c} and ${d}.`,
      };
    },
  };
})());
