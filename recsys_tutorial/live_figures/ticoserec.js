// TiCoSeRec: an operator changes a sequence, at random or where the gaps say; how even
// the gaps are before and after.
"use strict";

recsysLive.figure("ticoserec", (() => {
  const { math } = recsysLive;
  const CROP = 0, MASK = 1, REORDER = 2, SUBSTITUTE = 3, INSERT = 4;
  const OPERATORS = [{ zh: "裁剪", en: "crop" }, { zh: "掩码", en: "mask" }, { zh: "重排", en: "reorder" }, { zh: "替换", en: "substitute" }, { zh: "插入", en: "insert" }];
  const HIDDEN = 0, NEW = -1;  // what stands for a masked event, and for another item

  // Population variance of the gaps, Eq. (1), in squared minutes.
  const variance = (times) => {
    const gaps = times.slice(1).map((t, i) => (t - times[i]) / 60);
    if (gaps.length < 2) return 0;
    const mean = math.sum(gaps) / gaps.length;
    return math.sum(gaps.map((gap) => (gap - mean) ** 2)) / gaps.length;
  };
  const even = ({ items, times }) => variance(times.filter((_, i) => items[i] !== HIDDEN));

  // The start of the most even piece; of equal ones the latest.
  const evenest = (times, count) => {
    const last = times.length - count;
    if (count < 3) return last;
    const found = math.range(last + 1).map((start) => variance(times.slice(start, start + count)));
    return last - math.order(found.reverse().map((v) => -v))[0];
  };
  // The events before the largest gaps, or the smallest; of equal ones the latest.
  const before = (times, count, sign) => {
    const gaps = times.slice(1).map((t, i) => sign * (t - times[i])).reverse();
    return math.order(gaps).slice(0, count).map((i) => gaps.length - 1 - i);
  };

  const apply = (data, operator, rate, draw, timed) => {
    const { times } = data, count = Math.floor(rate * times.length / 10 + 1e-9);
    const items = times.map((_, i) => i + 1);
    if (operator === CROP || operator === REORDER) {
      const start = timed ? evenest(times, count) : data.starts[draw][count];
      if (operator === CROP) return { items: items.slice(start, start + count), times: times.slice(start, start + count) };
      const order = (timed ? data.orders : data.shuffles)[draw][count];
      return { items: items.map((item, i) => (i < start || i >= start + count ? item : start + order[i - start] + 1)), times };
    }
    const where = timed ? before(times, count, operator === SUBSTITUTE ? -1 : 1) : data.places[draw].slice(0, count);
    if (operator !== INSERT) return { items: items.map((item, i) => (where.includes(i) ? (operator === MASK ? HIDDEN : NEW) : item)), times };
    const steps = items.map((item, i) => [item, times[i]]);
    where.sort((a, b) => b - a).forEach((i) => {  // into the gap after it, or at random before it
      const left = times[timed ? i : Math.max(i - 1, 0)], right = times[timed ? i + 1 : i];
      steps.splice(timed ? i + 1 : i, 0, [NEW, left + Math.floor((right - left) / 2)]);
    });
    return { items: steps.map((s) => s[0]), times: steps.map((s) => s[1]) };
  };

  const compute = (data, { operator, rate, draw }) => {
    const random = data.starts.map((_, r) => apply(data, operator, rate, r, false)), timed = apply(data, operator, rate, draw, true);
    return {
      items: random[draw].items, times: random[draw].times, ti_items: timed.items, ti_times: timed.times,
      original: variance(data.times), variances: random.map(even), ti_variance: even(timed),
    };
  };

  return {
    question: { zh: "看着时间改历史，是不是总比随机改更均匀？", en: "Is a history altered by its times always more even than one altered at random?" },
    predict: { zh: "十个种子的随机改法，与看时间的比方差：插入谁小？裁剪呢？掩码呢？", en: "by time against ten seeds at random: whose variance is less when we insert, when we crop, when we mask?" },
    source: {
      zh: "图 1 那段历史的十二个时刻；算子在网页里现算。随机数由 NumPy 抽好，图 1 用的是 2 号种子；看时间的掩码，遮的是最大间隔左边的物品。",
      en: "The twelve times of the history in Figure 1; the operators are computed in this page. Random numbers are NumPy's, and Figure 1 has seed 2; to mask by time is to mask beside the largest gaps.",
    },
    handles: [
      { name: "operator", kind: "choice", options: OPERATORS, label: { zh: "算子", en: "Operator" } },
      { name: "rate", kind: "range", min: 1, max: 9, label: { zh: "比例", en: "Rate" }, text: (v) => (v / 10).toFixed(1) },
      { name: "draw", kind: "range", min: 0, max: 9, label: { zh: "随机种子", en: "Random seed" } },
    ],
    states: [
      { label: { zh: "插入，图 1", en: "insert, Figure 1" }, state: { operator: INSERT, rate: 3, draw: 2 } },
      { label: { zh: "裁剪，图 1", en: "crop, Figure 1" }, state: { operator: CROP, rate: 6, draw: 2 } },
      { label: { zh: "掩码，图 1", en: "mask, Figure 1" }, state: { operator: MASK, rate: 3, draw: 2 } },
    ],
    compute,
    draw: (answer, { draw }, kit, data) => {
      const first = data.times[0], wide = (data.times[data.times.length - 1] - first) / 60;
      const row = (items, times, y) => {
        const at = (test) => items.flatMap((item, i) => (test(item, times[i]) ? [[(times[i] - first) / 60, y]] : []));
        const kept = (item, t) => data.times[item - 1] === t;
        return [
          { line: [[0, y], [wide, y]], colour: "line" }, { dots: at(kept), colour: "blue", size: 5 },
          { dots: at((item, t) => item !== HIDDEN && !kept(item, t)), colour: "rust", size: 5 },
          { dots: at((item) => item === HIDDEN), colour: "grey", hollow: true, size: 5 },
        ];
      };
      const rows = [
        { label: { zh: "原来的", en: "as it was" }, items: data.times.map((_, i) => i + 1), times: data.times, value: answer.original, colour: "grey" },
        { label: { zh: "随机改", en: "at random" }, items: answer.items, times: answer.times, value: answer.variances[draw], colour: "purple" },
        { label: { zh: "看时间改", en: "by time" }, items: answer.ti_items, times: answer.ti_times, value: answer.ti_variance, colour: "green" },
      ];
      const marks = rows.flatMap(({ label, items, times }, j) => [...row(items, times, 2 - j), { words: label, at: [0, 2.28 - j] }]);
      ["没动|untouched", "换过、挪过、新插入|replaced, moved, inserted", "掩码|masked"].forEach((name, i) => {
        const [zh, en] = name.split("|");
        marks[i + 1].name = { zh, en };
      });
      const mean = { label: { zh: "随机改，十个种子平均", en: "at random, mean of ten seeds" }, value: math.sum(answer.variances) / 10, colour: "purple" };
      return kit.plot({
        x: { low: -0.02 * wide, high: 1.02 * wide, digits: 0, ticks: math.range(Math.floor(wide / 5) + 1).map((i) => 5 * i), label: { zh: "离第一个事件的分钟数", en: "minutes since the first event" } },
        y: { low: -0.4, high: 2.6, ticks: [] }, marks, height: 220, label: { zh: "三段历史在时间轴上", en: "Three histories on a time axis" },
      }) + kit.bars([...rows, mean], { high: Math.max(...answer.variances, answer.original, answer.ti_variance), digits: 1, title: { zh: "间隔方差，平方分钟", en: "Variance of the gaps, squared minutes" } });
    },
    say: ({ original, variances, ti_variance }, { operator, draw }, kit) => {
      const [a, b, c] = [original, variances[draw], ti_variance].map((v) => kit.number(v, 1)), name = OPERATORS[operator];
      const less = variances.filter((v) => v < ti_variance - 1e-9).length;
      return {
        zh: `${name.zh}：方差原来是 ${a}，随机改成 ${b}，看时间改成 ${c}；十个种子里有 ${less} 个比看时间的还均匀。`,
        en: `${name.en}: a variance of ${a} becomes ${b} at random and ${c} by time; ${less} of ten random seeds are more even than by time.`,
      };
    },
  };
})());
