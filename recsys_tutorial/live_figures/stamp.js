// STAMP on a session that turns: the order of its clicks, with and without the last.
"use strict";

recsysLive.figure("stamp", (() => {
  const { math } = recsysLive;
  const OLD = 5, INTERESTS = 10;

  // The clicks in their order: old ones, new ones, then the old ones that follow.
  const session = (data, { turned, after }) => {
    const fresh = data.fresh.slice(0, turned), start = OLD - after;
    return [...data.past.slice(0, start), ...fresh, ...data.past.slice(start)];
  };

  // What a STAMP gives to each interest: Eqs. (6), (7), (2), (3), (4) and a softmax.
  const beliefs = (own, history) => {
    const clicks = history.map((id) => own.items[id]), last = clicks[clicks.length - 1];
    const mean = math.scale(math.plus(...clicks), 1 / clicks.length);
    const asked = math.times(own.mean, mean);
    const row = own.query ? math.plus(asked, math.times(own.query, last)) : asked;
    const weights = clicks.map((x) => math.dot(own.weight[0], math.plus(math.linear(own.click, own.click_bias, x), row).map(math.sigmoid)));
    const sum = math.plus(...clicks.map((x, i) => math.scale(x, weights[i])));
    const general = math.linear(own.general, own.general_bias, sum).map(Math.tanh);
    const current = own.current ? math.linear(own.current, own.current_bias, last).map(Math.tanh) : general.map(() => 1);
    const session = general.map((value, d) => value * current[d]);
    const chances = math.softmax(math.times(own.items.slice(1), session));
    return math.range(INTERESTS).map((k) => math.sum(chances.filter((_, i) => i % INTERESTS === k)));
  };

  // The numbers of one of the two models: integers, times what one of them is worth.
  const model = (data, name) => Object.fromEntries(
    Object.entries(data.words.worth).filter(([key]) => key.startsWith(name)).map(([key, worth]) => [
      key.slice(name.length), data[key].map((row) => (Array.isArray(row) ? math.scale(row, worth) : row * worth)),
    ]),
  );

  const compute = (data, state) => {
    const history = session(data, state);
    const [old, fresh] = [data.past, data.fresh].map((ids) => (ids[0] - 1) % INTERESTS);
    const shares = ["with_", "without_"].map((name) => {
      const all = beliefs(model(data, name), history);
      return [all[old], all[fresh], 1 - all[old] - all[fresh]];
    });
    return { shares, places: history.map((id) => ((id - 1) % INTERESTS === fresh ? 1 : 0)) };
  };

  const NAMES = [
    { zh: "旧兴趣", en: "the old interest" }, { zh: "新兴趣", en: "the new interest" },
    { zh: "其余八种兴趣", en: "the other eight interests" },
  ];
  const COLOURS = ["blue", "rust", "grey"];

  return {
    question: { zh: "点的还是那几样，只换先后，下一次猜什么？", en: "The same clicks in another order: what is expected next?" },
    predict: {
      zh: "把新兴趣的那一下往前挪一格，让旧兴趣的点击跟在后面，两个模型各会怎样？",
      en: "let one click on the old interest follow the new one: what will each of the two models do?",
    },
    source: {
      zh: "由两个训练好的 STAMP 在网页里现算：一个单独看最后一次点击，一个把它当作普通的一次。两个都在模拟的会话上训练过，那里有十种兴趣，每次会话转向一次；这里的会话是从其中两种里摆出来的。",
      en: "Computed in this page by two trained STAMPs: one looks at the last click on its own as well, to the other it is a click like any. Both were trained on simulated sessions that turn once from one of ten interests to another; this session is laid out from two of the ten.",
    },
    handles: [
      { name: "after", kind: "range", min: 0, max: OLD, label: { zh: "新兴趣之后，又点了几次旧兴趣", en: "Old clicks that follow the new ones" }, text: (v) => `${v} / ${OLD}` },
      { name: "turned", kind: "range", min: 1, max: 5, label: { zh: "新兴趣点了几次", en: "Clicks on the new interest" } },
    ],
    states: [
      { label: { zh: "兴趣刚转向", en: "interest has just turned" }, state: { after: 0, turned: 1 } },
      { label: { zh: "同样六下，换个先后", en: "the same six, reordered" }, state: { after: 1, turned: 1 } },
      { label: { zh: "兴趣早已转向", en: "interest turned long ago" }, state: { after: 0, turned: 5 } },
    ],
    compute,
    draw: ({ shares, places }, state, kit) => {
      const clicks = kit.plot({
        x: { low: 0.5, high: 10.5, ticks: math.range(places.length).map((i) => i + 1), digits: 0, label: { zh: "第几次点击；圆圈：最后一次", en: "Which click; ring: the last" } },
        y: { low: -0.6, high: 1.6, ticks: [] },
        height: 120,
        label: { zh: "会话里各次点击属于哪个兴趣", en: "The interest of each click of the session" },
        marks: [
          ...[0, 1].map((side) => ({ dots: places.flatMap((at, i) => (at === side ? [[i + 1, at]] : [])), colour: COLOURS[side], size: 6, name: NAMES[side] })),
          { dots: [[places.length, places[places.length - 1]]], hollow: true, size: 10 },
        ],
      });
      const columns = ["STAMP", { zh: "STAMP，最后一次不特殊", en: "STAMP, last click not special" }].map((title, m) => kit.bars(
        shares[m].map((value, k) => ({ label: NAMES[k], value, colour: COLOURS[k], note: kit.percent(value, 1) })),
        { title },
      ));
      return clicks + kit.text({ zh: "下一次点击属于各种兴趣的概率：", en: "Probability that the next click is on:" }) + kit.text("") + kit.beside(...columns);
    },
    say: ({ shares }, { after, turned }, kit, data) => {
      const [a, b] = shares.map(([, value]) => kit.percent(value));
      if (after === 0) {
        return {
          zh: `最后一次点的是新兴趣：下一次再点它的概率，STAMP 给 ${a}，最后一次不特殊的只给 ${b}。`,
          en: `The last click is on the new interest: STAMP gives it ${a} for the next; with the last click not special, it has ${b}.`,
        };
      }
      const before = kit.percent(compute(data, { after: 0, turned }).shares[0][1]);
      return {
        zh: `最后一次又点了旧兴趣：STAMP 给新兴趣的从 ${before} 降到 ${a}，最后一次不特殊的仍给 ${b}。新兴趣的点击排在前面第几位，两个都不在乎。`,
        en: `The last click is old again: STAMP gives the new interest ${a}, no longer ${before}; with the last click not special, it has ${b} as before. Which place new clicks have among the earlier ones changes neither.`,
      };
    },
  };
})());
