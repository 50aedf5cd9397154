// PEPNet: the same rows in another domain, and what EPNet's gate makes of each field.
"use strict";

recsysLive.figure("pepnet", (() => {
  const { math } = recsysLive;
  const FIELDS = 12;

  // Eqs. (1) to (4) for one row in a domain, at a checkpoint: its 12 mean gates.
  const gatesOf = (data, row, domain, at) => {
    const ids = [...row.slice(0, -1), domain];
    const e = ids.flatMap((id, f) => data.table[at][data.offsets[f] + id]);
    const width = data.table[at][0].length;
    const inner = math.relu(math.linear(data.hidden[at], data.hidden_bias[at], [...data.domains[at][domain], ...e]));
    const gates = math.linear(data.output[at], data.output_bias[at], inner).map((z) => 2 * math.sigmoid(z));
    return math.range(FIELDS).map((f) => math.mean(gates.slice(f * width, (f + 1) * width)));
  };

  const compute = (data, { domain, checkpoint }) => {
    const each = data.rows.map((row) => gatesOf(data, row, domain + 1, checkpoint));
    const gates = math.transpose(each).map(math.mean);
    const truth = data.truth[domain];
    const levels = [0, 1, 2].map((weight) => math.mean(gates.filter((_, f) => truth[f] === weight)));
    return { gates, levels };
  };

  const COUNTS = [{ zh: "不算", en: "not at all" }, { zh: "照旧", en: "as it is" }, { zh: "加倍", en: "doubled" }];
  const INK = ["grey", "sky", "blue"];
  const last = (data) => data.words.epochs.length - 1;

  return {
    question: { zh: "同样的行搬到另一个域，门控放大的还是那几个字段吗？", en: "The same rows in another domain: are the same fields enlarged?" },
    predict: { zh: "换到域 1，哪几根柱子会长高？轮数拖到 0 呢？", en: "go to domain 1: which bars will grow? And with the epochs at 0?" },
    source: {
      zh: "由书里训练的 PEPNet 在网页里现算，对同样 24 行取平均；每个轮数是训练途中存下的一份权重。真相只画颜色，模型没有见过。",
      en: "Computed in this page by the PEPNet that the book has trained, as a mean over the same 24 rows; each epoch is a copy of its weights on the way. The truth gives the colours only, the model has not seen it.",
    },
    handles: (data) => [
      { name: "domain", kind: "choice", label: { zh: "域", en: "Domain" }, options: [{ zh: "1，最大", en: "1, the largest" }, { zh: "2", en: "2" }, { zh: "3，最小", en: "3, the smallest" }] },
      { name: "checkpoint", kind: "range", min: 0, max: last(data), label: { zh: "训练的轮数", en: "Epochs trained" }, text: (v) => ({ zh: `${data.words.epochs[v]} 轮`, en: `${data.words.epochs[v]}` }) },
    ],
    states: (data) => [
      { label: { zh: "最小的域", en: "the smallest domain" }, state: { domain: 2, checkpoint: last(data) } },
      { label: { zh: "最大的域", en: "the largest domain" }, state: { domain: 0, checkpoint: last(data) } },
      { label: { zh: "还没训练", en: "before training" }, state: { domain: 2, checkpoint: 0 } },
    ],
    compute,
    draw: ({ gates }, { domain }, kit, data) => kit.bars(
      gates.map((value, f) => {
        const weight = data.truth[domain][f];
        return { label: { zh: `字段 ${f + 1}（${COUNTS[weight].zh}）`, en: `field ${f + 1} (${COUNTS[weight].en})` }, value, colour: INK[weight], strong: weight === 2 };
      }),
      { high: 2, title: { zh: "EPNet 的平均门控，0 到 2；1 是不动。括号里是真相", en: "EPNet's mean gates, 0 to 2; 1 leaves a field as it is. In brackets, the truth" } },
    ),
    say: ({ levels }, { domain, checkpoint }, kit, data) => {
      const [off, plain, twice] = levels.map((value) => kit.number(value)), n = data.words.epochs[checkpoint];
      return {
        zh: `域 ${domain + 1}，训练 ${n} 轮：真相里加倍的字段平均乘 ${twice}，照旧的乘 ${plain}，不算的乘 ${off}。`,
        en: `Domain ${domain + 1}, ${n} epochs: fields that truly count double are multiplied by ${twice} on average, those as they are by ${plain}, those that do not count by ${off}.`,
      };
    },
  };
})());
