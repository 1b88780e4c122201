import { colourVariables, dark, light } from '../figures/palette.ts';

/** The page's only style sheet. The colours are variables that the drawings use too. */
export const style = `
:root { color-scheme: light dark; ${colourVariables(light)} }
@media (prefers-color-scheme: dark) { :root { ${colourVariables(dark)} } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 75rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .75rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.verdict, .synthetic, .missing { max-width: none; padding: .8rem 1rem; border-radius: .4rem; }
.verdict { font-size: 1.1rem; background: var(--panel); border-left: 4px solid var(--series-1); }
.synthetic, .missing { background: var(--warn); font-weight: 600; }
.note { color: var(--muted); font-size: .875rem; max-width: 46rem; }
.words { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.better { color: var(--muted); font-weight: 400; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th[scope="row"] { text-align: left; padding-left: 0; font-weight: 500; }
thead th { font-weight: 600; }
.undefined { color: var(--muted); }
sup { line-height: 0; }
.scroll > table th[scope="row"], .scroll > table thead td:first-child { position: sticky; left: 0; background: var(--paper); }
.errors thead th:first-child { padding-left: 0; }
.errors th:not(:nth-child(2)), .errors td:nth-child(n+3) { text-align: left; }
.errors th[scope="row"], .environment td { white-space: normal; overflow-wrap: anywhere; text-align: left; min-width: 6rem; }
td small, th small { display: block; color: var(--muted); font-size: .78rem; }
th.model { color: var(--series-1); }
.confusion th, .confusion td { vertical-align: middle; }
.confusion td { font-size: 1.1rem; text-align: center; } .confusion thead th { white-space: normal; }
.right { background: var(--right); } .wrong { background: var(--wrong); }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); gap: 1rem; margin-top: 1.5rem; }
.tile { background: var(--panel); border-radius: .4rem; padding: .9rem 1rem; }
.tile h2 { font-size: 1rem; margin: 0; }
.tile .value { font-size: 2rem; font-weight: 600; line-height: 1.2; margin: .2rem 0 .6rem; font-variant-numeric: tabular-nums; }
.tile .value small { font-size: .875rem; font-weight: 400; color: var(--muted); white-space: nowrap; }
dl, dd { margin: 0; }
.tile dl div { display: flex; justify-content: space-between; gap: 1rem; border-top: 1px solid var(--line); padding: .15rem 0;
  font-size: .9rem; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: .9rem 2rem; margin: 1rem 0 1.5rem; }
.facts dt { color: var(--muted); font-size: .875rem; }
.facts dd { overflow-wrap: anywhere; }
.beside { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem 3rem; }
@media (min-width: 68rem) { .beside { grid-template-columns: minmax(0, 1fr) 25rem; } }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; } .figures h3 { margin-top: .5rem; }
figure svg { display: block; width: 100%; max-width: 27rem; height: auto; }
figcaption { color: var(--muted); font-size: .875rem; max-width: 27rem; margin-top: .4rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem; }
@media (max-width: 40rem) { th, td { padding: .3rem .4rem; } th[scope="row"] { white-space: normal; max-width: 7.75rem; } }
.study th[scope="row"], .study td:has(.hardware) { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; max-width: 20rem; }
.study :is(td, th):has(.hardware) { text-align: left; }
.wide figure { overflow-x: auto; } .wide svg { width: auto; max-width: none; } .wide figcaption { max-width: 46rem; }
.weaknesses th[scope="row"] { white-space: nowrap; max-width: none; }
details { margin: .8rem 0; }
summary { cursor: pointer; }
pre { background: var(--panel); padding: .8rem; overflow-x: auto; font-size: .8rem; line-height: 1.4; border-radius: .4rem; }
`;
