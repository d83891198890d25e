"""How the report's page looks, light and dark."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1d2229; --soft: #5b6572; --edge: #dfe3e8;
  --grid: #e9ecef; --blue: #2459c4; --orange: #c2570c; --grey: #5b6572; --red: #c3201f;
  --green: #1a7340; --amber: #9a6200; --band: #f2b23a; --life: #c5ccd5; --setup: #8b95a3;
  --good: #e6f4ea; --bad: #fdeaea; --odd: #fdf3dd; --teal: #2aa597; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171b; --card: #1c2026; --ink: #e7eaee; --soft: #a0aab6; --edge: #323841;
  --grid: #2a3038; --blue: #7fa9ff; --orange: #ff9d57; --grey: #a0aab6; --red: #ff7b74;
  --green: #63d08c; --amber: #f0b94d; --band: #d9962a; --life: #4a525d; --setup: #7d8794;
  --good: #15301f; --bad: #3a1c1d; --odd: #35290f; --teal: #4cc7b5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 25px; line-height: 1.25; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 34px 0 10px; }
.sub { color: var(--soft); margin: 4px 0 18px; }
.verdict { display: flex; gap: 12px; align-items: baseline; border-radius: 8px; margin: 0 0 18px;
  padding: 12px 16px; font-weight: 600; border-left: 5px solid; background: var(--odd); }
.verdict .mark { font-size: 20px; line-height: 1; }
.verdict.kept { background: var(--good); border-color: var(--green); }
.verdict.kept .mark { color: var(--green); }
.verdict.broken { background: var(--bad); border-color: var(--red); }
.verdict.broken .mark { color: var(--red); }
.verdict.unproven { border-color: var(--amber); }
.verdict.unproven .mark { color: var(--amber); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 10px;
  margin: 0; }
.tiles div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: 10px 14px; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { margin: 0; font-size: 21px; font-weight: 650; font-variant-numeric: tabular-nums; }
.tiles dd.more { font-size: 13px; font-weight: 400; color: var(--soft); }
.tiles dd.unknown { font-size: 16px; font-weight: 400; color: var(--soft); line-height: 31px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr));
  gap: 14px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: 12px 14px 10px; min-width: 0; }
figcaption { font-weight: 600; }
.legend { margin: 2px 0 4px; display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px;
  color: var(--soft); }
.entry { display: inline-flex; align-items: center; gap: 6px; }
.key { width: 16px; height: 0; border-top: 3px solid; display: inline-block; }
.key.dashed { border-top-style: dashed; border-top-width: 2px; }
.key.blue { color: var(--blue); } .key.orange { color: var(--orange); }
.key.grey { color: var(--grey); }
.key.limit { border-top: 2px dotted var(--red); }
.key.setup, .key.said, .key.reply, .key.hole, .key.missed, .key.band { height: 11px; border: 0;
  width: 14px; border-radius: 2px; }
.key.setup { background: var(--setup); } .key.said { background: var(--teal); }
.key.reply { background: var(--blue); } .key.hole { background: var(--red); }
.key.missed { border: 2px solid var(--red); } .key.band { background: var(--band); opacity: .4; }
.key.failed { border: 0; width: auto; height: auto; }
.key.failed::before { content: "✕"; font-style: normal; font-weight: 700; color: var(--red); }
.says { margin: 2px 0 4px; font-size: 13px; color: var(--soft); }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
svg .fault { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.dashed { stroke-dasharray: 5 4; stroke-width: 1.6; }
.line.blue { stroke: var(--blue); } .line.orange { stroke: var(--orange); }
.line.grey { stroke: var(--grey); }
.limit { stroke: var(--red); stroke-dasharray: 2 4; stroke-width: 1.5; }
.bar.blue { fill: var(--blue); } .bar.orange { fill: var(--orange); }
.band { fill: var(--band); fill-opacity: .22; } .moment { fill: var(--band); fill-opacity: .8; }
.life { fill: var(--life); } .setup { fill: var(--setup); } .said { fill: var(--teal); }
.reply { fill: var(--blue); } .hole { fill: var(--red); }
.missed { fill: none; stroke: var(--red); stroke-width: 1.5; }
path.failed { stroke: var(--red); stroke-width: 2; fill: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums;
  background: var(--card); border: 1px solid var(--edge); min-width: min(100%, 420px); }
section td:last-child, section th:last-child { text-align: left; white-space: normal; }
caption { text-align: left; color: var(--soft); font-size: 13px; padding: 12px 0 4px; }
th, td { padding: 5px 12px; border-bottom: 1px solid var(--edge); text-align: right;
  white-space: nowrap; }
th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; font-weight: 400; }
thead th { color: var(--soft); font-size: 13px; font-weight: 600; }
td.kept { color: var(--green); } td.broken { color: var(--red); font-weight: 650; }
td.not-measured { color: var(--soft); }
details { margin: 6px 0 0; font-size: 13px; }
summary { cursor: pointer; color: var(--blue); }
details .scroll { max-height: 320px; overflow-y: auto; margin-top: 6px; }
pre { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: 10px 14px; overflow-x: auto; }
footer { margin-top: 36px; color: var(--soft); font-size: 13px; }
@media print { details { display: none; } }
"""
