// MMoE on the census: a person, the two gates, the eight experts, the two scores.
"use strict";

recsysLive.figure("mmoe", (() => {
  const { math } = recsysLive;
  const SCHOOLING = [
    { zh: "未上学", en: "none" }, { zh: "小学四年级以下", en: "1st to 4th grade" },
    { zh: "小学五、六年级", en: "5th or 6th grade" }, { zh: "初中七、八年级", en: "7th or 8th grade" },
    { zh: "九年级", en: "9th grade" }, { zh: "十年级", en: "10th grade" },
    { zh: "十一年级", en: "11th grade" }, { zh: "十二年级，未毕业", en: "12th grade, no diploma" },
    { zh: "高中毕业", en: "high school" }, { zh: "上过大学", en: "some college" },
    { zh: "职业副学士", en: "associate, vocational" }, { zh: "学术副学士", en: "associate, academic" },
    { zh: "学士", en: "bachelor" }, { zh: "硕士", en: "master" },
    { zh: "专业学位", en: "professional school" }, { zh: "博士", en: "doctorate" },
  ];

  const OPENING = { age: 45, schooling: 12, hours: 45 };

  // The id of a number in its field: one more than the edges that lie below it.
  const bin = (edges, value) => 1 + edges.filter((edge) => edge < value).length;

  const compute = (data, state) => {
    const { fixed, place, edges, schooling } = data.words;
    const ids = [...fixed];
    ids[place.age] = bin(edges.age, state.age);
    ids[place.hours_per_week] = bin(edges.hours_per_week, state.hours);
    ids[place.education] = schooling[state.schooling];
    const x = ids.flatMap((id, f) => data.table[data.offsets[f] + id]);
    const units = data.hidden[0].length;
    const flat = math.relu(math.linear(data.experts, data.experts_bias, x));  // (E * H)
    const E = flat.length / units;
    const experts = math.range(E).map((e) => flat.slice(e * units, (e + 1) * units));
    const scores = math.times(data.gates, x);  // (T * E)
    const gates = data.hidden.map((_, t) => math.softmax(scores.slice(t * E, (t + 1) * E)));
    const chances = gates.map((gate, t) => {
      const mixed = math.times(math.transpose(experts), gate);  // Eq. (7)
      const inner = math.relu(math.plus(math.times(math.transpose(data.hidden[t]), mixed), data.hidden_bias[t][0]));
      return math.sigmoid(math.dot(math.transpose(data.output[t])[0], inner) + data.output_bias[t][0][0]);
    });
    return { gates, chances };
  };

  return {
    question: { zh: "换一个人，两个任务还听同样的专家吗？", en: "Another person: do the two tasks still listen to the same experts?" },
    predict: { zh: "年龄从 20 拖到 60，哪个门控变得多：“收入”的，还是“从未结婚”的？", en: "drag the age from 20 to 60: which gate changes more, that of income or that of never married?" },
    source: { zh: "由书里训练好的 MMoE 在网页里现算；其余七个特征固定为最常见的取值。年龄和工时按段分桶，同一段里答案不变。", en: "Computed in this page by the MMoE that the book has trained; the other seven features are held at their most frequent values. Ages and hours fall into bins, within which nothing changes." },
    handles: [
      { name: "age", kind: "range", min: 17, max: 90, label: { zh: "年龄", en: "Age" }, text: (v) => ({ zh: `${v} 岁`, en: `${v} years` }) },
      { name: "schooling", kind: "range", min: 0, max: 15, label: { zh: "学历", en: "Schooling" }, text: (v) => SCHOOLING[v] },
      { name: "hours", kind: "range", min: 1, max: 99, label: { zh: "每周工时", en: "Hours a week" }, text: (v) => ({ zh: `${v} 小时`, en: `${v} hours` }) },
    ],
    states: [
      { label: { zh: "45 岁，学士", en: "45, bachelor" }, state: OPENING },
      { label: { zh: "别的不变，20 岁", en: "the same at 20" }, state: { age: 20, schooling: 12, hours: 45 } },
      { label: { zh: "别的不变，60 岁", en: "the same at 60" }, state: { age: 60, schooling: 12, hours: 45 } },
    ],
    compute,
    draw: ({ gates, chances }, state, kit, data) => {
      const tasks = data.words.tasks;
      const columns = tasks.map((name, t) => kit.bars(
        gates[t].map((value, e) => ({
          label: { zh: `专家 ${e + 1}`, en: `expert ${e + 1}` }, value, strong: value === Math.max(...gates[t]),
        })),
        { title: { zh: `“${name.zh}”的门控给八位专家的权重`, en: `Weights that the gate of "${name.en}" gives to the eight experts` }, colour: t ? "rust" : "blue" },
      ));
      return kit.beside(...columns);
    },
    say: ({ gates, chances }, state, kit, data) => {
      const best = gates.map((gate) => math.order(gate)[0] + 1);
      const [a, b] = data.words.tasks, [p, q] = chances.map((c) => kit.percent(c));
      const first = compute(data, OPENING).gates;  // half of what changed hands
      const [u, v] = gates.map((gate, t) => math.sum(gate.map((w, e) => Math.abs(w - first[t][e]))) / 2);
      const [m, n] = [u, v].map((share) => kit.percent(share));
      const same = u + v === 0;
      return {
        zh: `“${a.zh}”最听专家 ${best[0]}，预测 ${p}；“${b.zh}”最听专家 ${best[1]}，预测 ${q}。`
          + (same ? "" : `与 45 岁的那位相比，两个门控各有 ${m} 和 ${n} 的权重换了专家。`),
        en: `"${a.en}" listens most to expert ${best[0]} and predicts ${p}; "${b.en}" to expert ${best[1]}, and ${q}.`
          + (same ? "" : ` Compared with the person of 45, ${m} and ${n} of the gates' weight went to other experts.`),
      };
    },
  };
})());
