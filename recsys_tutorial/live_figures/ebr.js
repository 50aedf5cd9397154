// EBR: a list's places shared out among clusters by quota; one history's list, and what
// the same rule is worth for many others.
"use strict";

recsysLive.figure("ebr", (() => {
  const { math } = recsysLive;
  const ALPHAS = [0, 0.5, 1, 1.5, 2, 4, Infinity];
  const power = (ratio, alpha) => (alpha === Infinity ? Number(ratio === 1) : ratio ** alpha);

  // Places in proportion to wanted ** alpha, by largest remainder; what a cluster has
  // no room for is shared out again.
  const quotas = (wanted, total, alpha, room) => {
    let given = wanted.map(() => 0), left = total;
    while (left > 0) {
      const open = given.map((n, k) => n < room[k]);
      const best = Math.max(...wanted.map((p, k) => (open[k] ? p : 0)));
      const share = wanted.map((p, k) => (open[k] ? power(Math.min(p / best, 1), alpha) : 0));
      const all = math.sum(share), exact = share.map((value) => left * value / all);
      const more = exact.map(Math.floor), rest = left - math.sum(more);
      math.order(exact.map((value, k) => value - more[k])).slice(0, rest).forEach((k) => { more[k] += 1; });
      given = given.map((n, k) => Math.min(n + more[k], room[k]));
      left = total - math.sum(given);
    }
    return given;
  };

  const compute = (data, { alpha, places, who }) => {
    const all = data.wanted.map((p, i) => quotas(p, places, ALPHAS[alpha], data.room[i]));
    const hits = all.map((given, i) => Number(data.place[i] < given[data.target[i]]));
    const largest = all.map((given) => Math.max(...given) / places);
    const N = all.length;
    return { given: all[who], hit: hits[who], recall: math.sum(hits) / N, largest: math.sum(largest) / N };
  };

  const named = (i) => (ALPHAS[i] === Infinity ? "∞" : String(ALPHAS[i]));
  return {
    question: { zh: "列表的位置按口味分给各簇，分多偏才好？", en: "Places go to clusters by taste: how lopsided should a list be?" },
    predict: { zh: "α 从 0 拖到 ∞，最大的簇越拿越多；接着看的那部片，是更容易在列表里，还是更难？", en: "drag α from 0 to ∞ and the largest cluster takes ever more: is the film that came next on the list more often, or less?" },
    source: {
      zh: "各簇想看的概率和簇内的名次出自本章训练好的模型；名额由网页现算。簇以其中看的人最多的片为名。",
      en: "How much each cluster is wanted, and the order inside it, come from the chapter's trained models; this page computes the quotas. A cluster is called by its most watched film.",
    },
    handles: (data) => [
      { name: "alpha", kind: "range", min: 0, max: ALPHAS.length - 1, label: { zh: "指数 α", en: "Exponent α" }, text: named },
      { name: "places", kind: "range", min: 10, max: data.words.most, step: 10, label: { zh: "列表的位置", en: "Places of the list" } },
      { name: "who", kind: "choice", options: data.words.people.map((_, i) => ({ zh: `第 ${i + 1} 段`, en: `no. ${i + 1}` })), label: { zh: "历史", en: "History" } },
    ],
    states: ({ words: { places } }) => [
      { label: { zh: "α = 1，按概率分", en: "α = 1, in proportion" }, state: { alpha: 2, places, who: 0 } },
      { label: { zh: "α = ∞，赢家通吃", en: "α = ∞, winner takes all" }, state: { alpha: 6, places, who: 0 } },
      { label: { zh: "200 个位置，α = ∞", en: "200 places, α = ∞" }, state: { alpha: 6, places: 200, who: 0 } },
    ],
    compute,
    draw: ({ given, hit, recall, largest }, { places, who }, kit, data) => {
      const { people, clusters } = data.words, person = people[who], next = data.target[who];
      const most = Math.max(...given);
      const history = kit.list(person.history.map((label) => ({ label })), { title: { zh: "历史，从早到晚", en: "The history, oldest first" } });
      const share = kit.bars(given.map((n, k) => ({
        label: clusters[k].replace(" ", ` (${kit.percent(data.wanted[who][k])}) `), value: n / places, note: String(n), strong: n === most,
        colour: n === 0 ? "line" : k === next ? "rust" : "sky",
      })), { high: 1, title: { zh: "各簇的位置；括号里是想看它的概率", en: "Places of each cluster; in brackets, the probability that it is wanted" } });
      const key = kit.text({
        zh: `接着看的 ${person.next} 在簇 ${next}（橙），${hit ? "在" : "不在"}列表里。粗体：位置最多的簇。`,
        en: `${person.next}, which came next, is in cluster ${next} (orange) and ${hit ? "" : "not "}on the list. Bold: most places.`,
      });
      const taken = math.order(given).filter((k) => given[k] > 0);
      const merged = kit.list(taken.map((k) => ({
        label: person.first[k].slice(0, given[k]).join(" · ") + (given[k] > 2 ? " …" : ""), note: { zh: `簇 ${k}，${given[k]} 部`, en: `cluster ${k}, films: ${given[k]}` },
      })), { title: { zh: "列表里有什么，一簇一行", en: "What is on the list, cluster by cluster" } });
      const pool = kit.bars([
        { label: { zh: "召回率：接着看的片在列表里", en: "recall: next film on the list" }, value: recall, colour: "green" },
        { label: { zh: "最大的簇所占的份额", en: "share of the largest cluster" }, value: largest, colour: "grey" },
      ], { title: { zh: `${data.wanted.length} 段历史的平均`, en: `Means over ${data.wanted.length} histories` } });
      return kit.beside(`<div>${share}${key}</div>`, history) + kit.text("") + kit.beside(merged, pool);
    },
    say: ({ given, recall }, { alpha, places, who }, kit, data) => {
      const most = Math.max(...given), gone = given.filter((n) => n === 0).length, K = given.length;
      const N = data.wanted.length, even = ALPHAS.indexOf(1);
      const full = ALPHAS[alpha] === Infinity && most < places;
      const takes = most === places ? { zh: `${places} 个位置全归一个簇`, en: `one cluster takes all ${places} places` } : {
        zh: `${places} 个位置里，最大的簇拿 ${most} 个${full ? `（它再没有片了，余下的给了下一个簇）` : ""}`,
        en: `the largest cluster takes ${most} of ${places} places${full ? ` (it has no more films; the rest goes to the next cluster)` : ""}`,
      };
      const left = gone ? { zh: `${K} 个簇里有 ${gone} 个一个位置也没有`, en: `clusters with none: ${gone} of ${K}` } : { zh: "每个簇都有", en: "every cluster has some" };
      const of = { zh: `${N} 段历史里，接着看的片在列表里的有 ${kit.percent(recall)}`, en: `the next film is on the list for ${kit.percent(recall)} of ${N} histories` };
      let lead = { zh: "", en: "Recall: " }, against = { zh: "", en: "" };
      if (alpha !== even) {
        const [now, then] = [recall, compute(data, { alpha: even, places, who }).recall].map((value) => Math.round(100 * value));
        against = { zh: `，α = 1 时是 ${then}%`, en: `, against ${then}% at α = 1` };
        if (now < then) lead = alpha < even ? { zh: "分得太匀，召回率低了：", en: "Too even, and recall is lower: " } : { zh: "偏得太过，召回率也低了：", en: "Too lopsided even for recall: " };
        else if (gone && now > then) lead = { zh: "少了什么，召回率看不出来：", en: "Recall does not notice: " };
      }
      return {
        zh: `α = ${named(alpha)}：${takes.zh}，${left.zh}。${lead.zh}${of.zh}${against.zh}。`,
        en: `α = ${named(alpha)}: ${takes.en}; ${left.en}. ${lead.en}${of.en}${against.en}.`,
      };
    },
  };
})());
