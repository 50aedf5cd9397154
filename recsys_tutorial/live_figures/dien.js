// DIEN in a world that drifts: attention, what is written, and the state read on its way.
"use strict";

recsysLive.figure("dien", (() => {
  const { math } = recsysLive;

  // The interest extractor: a state for each step.
  const extract = (data, steps) => {
    let h = steps[0].map(() => 0);
    return steps.map((x) => {
      h = math.gru(data, x, h);
      return h;
    });
  };

  // The evolution, AUGRU: Eqs. (11) and (12), its update u times the attention a.
  const evolve = (data, states, weights) => {
    let h = states[0].map(() => 0);
    const D = h.length;
    return states.map((x, t) => {
      const into = math.linear(data.input, data.input_bias, x), from = math.times(data.state, h);
      const share = h.map((_, d) => weights[t] * math.sigmoid(into[D + d] + from[D + d]));
      h = h.map((old, d) => {
        const reset = math.sigmoid(into[d] + from[d]), fresh = Math.tanh(into[2 * D + d] + reset * from[2 * D + d]);
        return (1 - share[d]) * old + share[d] * fresh;
      });
      return { state: h, share: math.sum(share) / D };
    });
  };

  const chance = (data, user, candidate) => {
    const first = math.prelu(math.linear(data.head0, data.head0_bias, [...user, ...candidate]), data.head1);
    const second = math.prelu(math.linear(data.head2, data.head2_bias, first), data.head3);
    return math.sigmoid(math.dot(data.head4[0], second) + data.head4_bias[0]);
  };

  const order = (state, x) => (state.backwards ? [...x].reverse() : x);

  const compute = (data, state) => {
    const candidate = data.candidates[state.candidate];
    const states = extract(data, order(state, data.history));
    const query = math.times(data.attention, candidate);
    const weights = math.softmax(states.map((h) => math.dot(h, query)));  // Eq. (8)
    const path = evolve(data, states, weights);
    return { weights, shares: path.map(({ share }) => share), chances: path.map((each) => chance(data, each.state, candidate)) };
  };

  return {
    question: { zh: "字母是兴趣，数字是阶段。阶段一路在换，此刻的候选还合不合？", en: "A letter is an interest, a number its phase. Phases move on: does the candidate still fit?" },
    predict: {
      zh: "候选换成 B 的过时阶段，变得多的是注意力，还是点击概率？把历史倒过来放呢？",
      en: "with an outdated phase of B as candidate, which changes more, attention or the chance of a click? And with the history back to front?",
    },
    source: {
      zh: "由图 1 的 DIEN 在网页里现算，用户也是同一位。注意力看的是整段历史，由它决定 GRU（循环网络）每一步改写多少状态；虚线是各维的平均。每走一步，就把当时的状态交给打分网络读一次；打分网络不是线性的，改写一小部分，概率也可能翻过来。",
      en: "Computed in this page by the DIEN of Figure 1, for the same user. Attention sees the whole history and decides how much of its state the GRU, a recurrent network, overwrites at each step; the dashed line is a mean over the dimensions. After each step the head reads the state as it is then; it is not linear, so overwriting a small part may turn the chance over.",
    },
    handles: (data) => [
      { name: "candidate", kind: "choice", options: data.words.kinds, label: { zh: "候选", en: "Candidate" } },
      { name: "backwards", kind: "switch", label: { zh: "历史倒过来放", en: "history back to front" } },
    ],
    states: ({ words: { latest, outdated } }) => [
      { label: { zh: "B 的最新阶段", en: "latest phase of B" }, state: { candidate: latest, backwards: false } },
      { label: { zh: "B 的过时阶段", en: "outdated phase of B" }, state: { candidate: outdated, backwards: false } },
      { label: { zh: "B 的最新阶段，倒过来放", en: "latest phase of B, back to front" }, state: { candidate: latest, backwards: true } },
    ],
    compute,
    draw: ({ weights, shares, chances }, state, kit, data) => {
      const steps = order(state, data.words.steps), places = math.range(steps.length);
      const x = { low: -0.5, high: steps.length - 0.5, ticks: places, text: (t) => steps[t] };
      const points = (values) => values.map((value, t) => [t, value]);
      const dots = (values) => ["A", "B"].map((kind, side) => ({
        dots: points(values).filter(([t]) => steps[t][0] === kind), colour: side ? "rust" : "blue", name: { zh: `兴趣 ${kind}`, en: `interest ${kind}` },
      }));
      return kit.plot({
        x, y: { low: 0, high: 0.75, ticks: [0, 0.25, 0.5, 0.75], label: { zh: "注意力（灰线）；虚线：GRU 状态里有多少换成这一步", en: "Attention (grey); dashed: how much of the GRU's state this step overwrites" } }, height: 190,
        label: { zh: "每一步的注意力，以及状态被改写的比例", en: "Attention to each step and the share of the state written" },
        marks: [{ line: points(weights), colour: "grey" }, { line: points(shares), colour: "ink", dashed: true }, ...dots(weights)],
      }) + kit.plot({
        x, y: { low: 0, high: 1, ticks: [0, 0.5, 1], digits: 1, label: { zh: "读到这一步的状态，给候选的点击概率", en: "Chance of a click on the candidate, read from the state after each step" } }, height: 170,
        label: { zh: "每走一步之后读出的概率", en: "The chance that is read after each step" },
        marks: [{ line: points(chances), colour: "grey" }, ...dots(chances).map(({ name, ...mark }) => mark)],
      });
    },
    say: ({ weights, chances }, { candidate, backwards }, kit, data) => {
      const asked = data.words.kinds[candidate], own = asked[0], other = own === "A" ? "B" : "A";
      const steps = order({ backwards }, data.words.steps), last = steps.filter((s) => s[0] === own).at(-1);
      const mass = kit.percent(math.sum(weights.filter((_, t) => steps[t][0] === own))), end = kit.percent(chances.at(-1));
      const [zh, en] = own === "B" ? ["，分不出阶段", ", whatever their phase"] : ["", ""];
      return {
        zh: `候选 ${asked}：注意力有 ${mass} 落在兴趣 ${own} 的步上${zh}；${other} 的步几乎不写入，那几步概率大致走平。最后写入的 ${own} 是 ${last}，${last === asked ? "正合" : "不合"}候选，点击概率 ${end}。`,
        en: `Candidate ${asked}: ${mass} of the attention falls on steps of ${own}${en}; steps of ${other} write next to nothing, and across them the chance stays about flat. The last ${own} written is ${last}, ${last === asked ? "just what the candidate is" : `not ${asked}`}: the chance of a click is ${end}.`,
      };
    },
  };
})());
