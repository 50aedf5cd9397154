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
      zh: "意图的概率和簇内的名次出自本章训练好的模型；名额由网页现算。每个簇只写出头两部片。",
      en: "How much each cluster is wanted, and the order inside it, come from the chapter's trained models; this page computes the quotas. Of each cluster only the first two films are named.",
    },
    handles: (data) => [
      { name: "alpha", kind: "range", min: 0, max: ALPHAS.length - 1, label: { zh: "指数 α", en: "Exponent α" }, text: named },
      { name: "places", kind: "range", min: 10, max: data.words.most, step: 10, label: { zh: "列表的位置", en: "Places of the list" } },
      { name: "who", kind: "choice", options: data.words.people.map((_, i) => ({ zh: `第 ${i + 1} 段`, en: `no. ${i + 1}` })), label: { zh: "历史", en: "History" } },
    ],
    states: ({ words: { places } }) => [
      { label: { zh: "α = 1，按概率分", en: "α = 1, in proportion" }, state: { alpha: 2, places, who: 0 } },
      { label: { zh: "α = 0，人人有份", en: "α = 0, all alike" }, state: { alpha: 0, places, who: 0 } },
      { label: { zh: "α = ∞，赢家通吃", en: "α = ∞, winner takes all" }, state: { alpha: 6, places, who: 0 } },
    ],
    compute,
    draw: ({ given, recall, largest }, { places, who }, kit, data) => {
      const { people, clusters } = data.words, person = people[who], next = data.target[who];
      const most = Math.max(...given);
      const history = kit.list(person.history.map((label) => ({ label })), { title: { zh: "历史，从早到晚", en: "The history, oldest first" } });
      const share = kit.bars(given.map((n, k) => ({
        label: clusters[k], value: n / places, note: String(n), strong: n === most, colour: k === next ? "rust" : "sky",
      })), { high: 1, title: { zh: "各簇的位置；橙：接着看的片在这一簇", en: "Places of each cluster; orange: that of the film that came next" } });
      const taken = math.order(given).filter((k) => given[k] > 0);
      const merged = kit.list(taken.map((k) => ({
        label: person.first[k].slice(0, given[k]).join(" · "), note: { zh: `簇 ${k}，${given[k]} 个`, en: `cluster ${k}: ${given[k]}` },
      })), { title: { zh: "合并出的列表，各簇的头几部", en: "The merged list, the first of each cluster" } });
      const pool = kit.bars([
        { label: { zh: "下一部在列表里", en: "next film on the list" }, value: recall, colour: "green" },
        { label: { zh: "最大的簇占几成", en: "share of the largest cluster" }, value: largest, colour: "grey" },
      ], { title: { zh: `${data.wanted.length} 段历史的平均`, en: `Means over ${data.wanted.length} histories` } });
      return kit.beside(share, history) + kit.beside(merged, pool);
    },
    say: ({ given, hit, recall }, { alpha, places, who }, kit, data) => {
      const most = Math.max(...given), film = data.words.people[who].next, share = kit.percent(recall);
      return {
        zh: `α = ${named(alpha)}：${places} 个位置，最大的簇拿 ${most} 个。接着看的是 ${film}，${hit ? "在" : "不在"}列表里；全部历史里，在的有 ${share}。`,
        en: `α = ${named(alpha)}: the largest cluster takes ${most} of ${places} places. The next film, ${film}, is ${hit ? "" : "not "}on the list; over all histories ${share} are.`,
      };
    },
  };
})());
