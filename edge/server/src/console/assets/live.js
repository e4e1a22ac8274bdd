// Polls /v1/live once a second and writes what changed into the page.

import { calibration, spark } from "./charts.js";

const POLL_MS = 1000;
const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ── numbers for people ──
const whole = new Intl.NumberFormat("en");
const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const fine = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const money = (micros) => cents.format(micros / 1e6);
const price = ({ micros, per }) => `${fine.format(micros / 1e6)} per ${per === "mille" ? "1,000" : per}`;
const percent = (rate, digits = 2) => (rate == null ? "–" : `${(rate * 100).toFixed(digits)} %`);
const span = (us) => (us == null ? "–" : us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(us < 10000 ? 2 : 1)} ms`);
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
const share = (part, of) => (of > 0 ? part / of : 0);
const uptime = (s) => (s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`);

// ── writing without flicker ──
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function h(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// One child per row, kept by key: what stays is filled again, what is new is made, what is gone is removed.
function keyed(parent, rows, key, make, fill) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const row of rows) {
    const id = String(key(row));
    let child = old.get(id);
    old.delete(id);
    if (!child) {
      child = make(row);
      child.dataset.key = id;
    }
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
    fill?.(child, row);
  }
  for (const child of old.values()) child.remove();
}

// A total runs to its new value within the second until the next one arrives.
const shownTotals = new Map();
function total(id, value, format = (n) => whole.format(Math.round(n))) {
  const element = $(id);
  const from = shownTotals.get(id) ?? value;
  shownTotals.set(id, value);
  if (calm.matches || from === value || document.hidden) return set(element, format(value));
  const begun = performance.now();
  const step = (now) => {
    const done = Math.min(1, Math.max(0, (now - begun) / (POLL_MS * 0.9)));
    if (shownTotals.get(id) !== value) return;
    set(element, format(from + (value - from) * done));
    if (done < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// ── parts of the page ──
function totals({ totals: t, seconds }) {
  total("decisions-total", t.decisions);
  const last = seconds.slice(-5);
  const rate = share(last.reduce((sum, s) => sum + s.decisions, 0), last.length);
  set($("decisions-rate"), `${rate.toFixed(rate < 10 ? 1 : 0)} a second`);
  total("impressions-total", t.impressions);
  set($("viewable-share"), `${percent(share(t.viewables, t.impressions), 0)} viewable`);
  total("clicks-total", t.clicks);
  set($("click-share"), `${percent(share(t.clicks, t.impressions))} of impressions`);
  total("conversions-total", t.conversions);
  set($("sales-total"), `${money(t.sales_micros)} sold`);
  total("billed-total", t.billed_micros, money);
  set($("unbilled-total"), `${money(t.unbilled_micros)} delivered unbilled`);
  set($("fill-share"), percent(share(t.slots_filled, t.slots_asked), 1));
  set($("slots-total"), `of ${whole.format(t.slots_asked)} slots`);
  total("degraded-total", t.degraded);
  set($("degraded-share"), `${percent(share(t.degraded, t.decisions), 2)} of decisions`);
}

const WINDOW = 120;
function pulse({ seconds }) {
  const last = seconds.at(-1) ?? { decisions: 0, events: 0, p50_us: null, p99_us: null };
  set($("rate-now"), whole.format(last.decisions));
  set($("events-now"), whole.format(last.events));
  const rate = [{ key: "c-rate", values: seconds.map((s) => s.decisions), area: true }];
  set($("rate-top"), `scale to ${whole.format(spark($("rate-chart"), rate, WINDOW))}`);
  set($("p50-now"), span(last.p50_us));
  set($("p99-now"), span(last.p99_us));
  const latency = [
    { key: "c-p99", values: seconds.map((s) => s.p99_us) },
    { key: "c-p50", values: seconds.map((s) => s.p50_us), area: true },
  ];
  set($("latency-top"), `scale to ${span(spark($("latency-chart"), latency, WINDOW))}`);
}

function ctr({ ctr: c }) {
  for (const name of ["predicted", "observed", "truth"]) {
    set($(`ctr-${name}`), percent(c[name]));
  }
  set($("ctr-rows"), `${whole.format(c.rendered)} rendered impressions, ${whole.format(c.clicks)} clicks`);
  const line = (key) => ({ key, values: c.history.map((p) => p[key] ?? null) });
  const top = spark($("ctr-chart"), [line("truth"), line("observed"), line("predicted")], Math.max(2, c.history.length));
  set($("ctr-top"), `scale to ${percent(top, 1)}`);
  calibration($("calibration-chart"), c.deciles, (rate) => percent(rate, rate < 0.02 ? 2 : 1));
}

const STATES = { serving: "serving", held_back: "held back", exhausted: "budget used up", off: "not running" };
function campaign(row) {
  const part = (name, tag = "span") => h(tag, name);
  const bar = h("div", "bar", h("b"), h("i"));
  const said = h("div", "said", part("plan"), part("state"));
  return h("li", "", part("name"), part("sum"), bar, said);
}

function fillCampaign(li, c) {
  const limited = c.budget_micros != null;
  li.className = `${c.state}${limited ? "" : " unlimited"}`;
  const name = li.querySelector(".name");
  if (name.dataset.said !== c.name) {
    name.dataset.said = c.name;
    name.replaceChildren(`${c.name} `, h("small", "", c.advertiser));
  }
  const period = { day: " today", lifetime: "", none: "" }[c.budget_kind];
  set(li.querySelector(".sum"), `${money(c.spent_micros)}${limited ? ` of ${money(c.budget_micros)}${period}` : ", no limit"}`);
  li.querySelector(".bar b").style.width = `${Math.min(100, 100 * share(c.spent_micros, c.budget_micros ?? 0))}%`;
  const target = li.querySelector(".bar i");
  target.hidden = c.planned_micros == null || !limited;
  target.style.left = `${Math.min(100, 100 * share(c.planned_micros ?? 0, c.budget_micros ?? 0))}%`;
  const held = c.multiplier_ppm < 1e6 && c.state !== "off" ? ` × ${(c.multiplier_ppm / 1e6).toFixed(2)}` : "";
  set(li.querySelector(".plan"), `${c.pacing}${held} · ${whole.format(c.impressions)} shown, ${whole.format(c.clicks)} clicked`);
  set(li.querySelector(".state"), STATES[c.state] ?? c.state);
}

function campaigns({ campaigns: rows }) {
  keyed($("campaigns"), rows, (c) => c.id, campaign, fillCampaign);
  const used = rows.filter((c) => c.state === "exhausted").length;
  set($("campaigns-said"), `${rows.length} campaigns, ${used} used up`);
}

function training({ training: runs, training_now: now }) {
  $("training-now").hidden = !now;
  if (now) {
    set($("training-step"), now.step);
    $("training-bar").max = Math.max(1, now.of);
    $("training-bar").value = now.done;
  }
  $("training-none").hidden = runs.length > 0 || Boolean(now);
  $("training-table").hidden = runs.length === 0;
  const digits = (value, n) => (value == null ? "–" : value.toFixed(n));
  const make = () => h("tr", "", ...Array.from({ length: 8 }, (_, i) => h("td", i === 7 ? "note" : i ? "n" : "")));
  keyed($("training"), runs, (r) => r.number, make, (tr, r) => {
    const swapped = r.swapped_ms == null ? "not used" : `since ${clock(r.swapped_ms)}`;
    const cells = [
      r.model, whole.format(r.rows), whole.format(r.clicks), digits(r.auc, 3), digits(r.log_loss, 4),
      digits(r.normalised_entropy, 3), digits(r.calibration, 2), r.note ? `${swapped}: ${r.note}` : swapped,
    ];
    cells.forEach((text, i) => set(tr.cells[i], text));
  });
}

// The class of a reason: what it is about, and its own name.
const kind = ({ stage, code }) => `${stage} ${code}`;

function reasons(list, counts) {
  const rows = counts.filter((c) => c.count > 0).sort((a, b) => b.count - a.count);
  const most = rows[0]?.count ?? 0;
  const make = (c) => h("li", kind(c), h("span", "", c.text), h("span", "n"), h("div", "bar", h("b")));
  keyed(list, rows, (c) => c.code, make, (li, c) => {
    set(li.querySelector(".n"), whole.format(c.count));
    li.querySelector("b").style.width = `${100 * share(c.count, most)}%`;
  });
}

function fates({ fates: all, ineligible }) {
  reasons($("fates"), all);
  reasons($("ineligible"), ineligible);
  $("ineligible-part").hidden = ineligible.every((c) => c.count === 0);
}

function chip(text, className) {
  return h("span", `chip ${className}`, text);
}

// How many ended for a reason, by its short name; the long text is its tooltip.
function lost(count) {
  const element = chip(`${whole.format(count.count)} ${count.code.replaceAll("_", " ")}`, kind(count));
  element.title = count.text;
  return element;
}

function ad(won) {
  const title = h("span", "title", `${won.title} `, h("small", "", won.advertiser));
  title.title = won.title;
  const bid = h("small", "", ` bid ${price(won.bid)}`);
  const why = `${won.placement}, slot ${won.slot + 1}: ${won.why}${won.explored ? " (exploration)" : ""}`;
  return h("div", "ad", title, h("span", "price", price(won.price), bid), h("div", "why", why));
}

function decision(d) {
  const link = h("a", "", clock(d.time_ms));
  link.href = `/decisions/${encodeURIComponent(d.id)}`;
  link.setAttribute("aria-label", `Explain the decision of ${clock(d.time_ms)}`);
  const who = d.user ? `viewer ${d.user}` : "anonymous";
  const facts = [d.context, who, `${whole.format(d.candidates)} candidates in ${span(d.took_us)}`].filter(Boolean);
  const when = h("div", "when", link, ...facts.map((text) => h("small", "", text)));
  const ads = d.shown.length ? d.shown.map(ad) : [h("div", "empty", "No ad was shown.")];
  const others = d.fates.filter((f) => f.code !== "shown").map(lost);
  const late = d.degraded.map((port) => chip(`without ${port}`, "degraded"));
  return h("li", "decision", when, h("div", "won", ...ads, h("div", "chips", ...late, ...others)));
}

// The page lets in at most two decisions a second, so that eyes can follow, and none under a pointer or a focus, so that
// nobody misses what they reach for.
const LISTED = 12;
let listed = [];
function decisions({ decisions: newest }) {
  const list = $("last-decisions");
  const held = list.matches(":hover") || list.contains(document.activeElement);
  $("decisions-held").hidden = !held;
  const first = listed.length === 0;
  if (held && !first) return;
  const known = new Set(listed.map((d) => d.id));
  const until = newest.findIndex((d) => known.has(d.id));
  const fresh = newest.slice(0, until < 0 ? newest.length : until).slice(0, first ? LISTED : 2);
  listed = [...fresh, ...listed].slice(0, LISTED);
  keyed(list, listed, (d) => d.id, decision);
  for (const d of first ? [] : fresh) list.querySelector(`[data-key="${CSS.escape(d.id)}"]`)?.classList.add("fresh");
}

function draw(view) {
  const { kind: of, replayed, requests } = view.audience;
  const progress = of === "dataset" ? `, ${whole.format(replayed)} of ${whole.format(requests)} requests replayed` : "";
  set($("uptime"), `up ${uptime(view.uptime_s)}${progress}`);
  for (const part of [totals, pulse, ctr, campaigns, training, fates, decisions]) part(view);
}

// ── polling ──
async function poll() {
  try {
    const response = await fetch("/v1/live", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    draw(await response.json());
    live(true);
  } catch {
    live(false);
  }
  setTimeout(poll, POLL_MS);
}

function live(reached) {
  document.body.classList.toggle("gone", !reached);
  set($("status"), reached ? "live" : "server gone: showing what it said last, trying again");
}

draw(JSON.parse($("live-initial").textContent));
setTimeout(poll, POLL_MS);
