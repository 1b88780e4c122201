import { colourVariables, dark, light } from '../figures/palette.ts';

/** The page's only style sheet. The colours are variables that the drawings use too. */
export const style = `
:root { color-scheme: light dark; ${colourVariables(light)} }
@media (prefers-color-scheme: dark) { :root { ${colourVariables(dark)} } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.verdict { font-size: 1.1rem; padding: .8rem 1rem; background: var(--panel); border-left: 4px solid var(--series-1); max-width: none; }
.synthetic { padding: .6rem 1rem; background: var(--warn); font-weight: 600; max-width: none; }
.note { color: var(--muted); font-size: .875rem; max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
th[scope="row"], .errors th { text-align: left; padding-left: 0; font-weight: 500; }
thead th { font-weight: 600; }
.scroll > table th[scope="row"] { position: sticky; left: 0; background: var(--paper); }
.errors th[scope="row"], .facts td { white-space: normal; overflow-wrap: anywhere; text-align: left; min-width: 6rem; }
td small { display: block; color: var(--muted); font-size: .78rem; }
th.model { color: var(--series-1); }
.confusion th, .confusion td { vertical-align: middle; }
.confusion td { font-size: 1.1rem; text-align: center; }
.right { background: var(--right); } .wrong { background: var(--wrong); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; }
figure svg { display: block; width: 100%; max-width: 27rem; height: auto; }
figcaption { color: var(--muted); font-size: .875rem; max-width: 27rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem; }
@media (max-width: 40rem) { th, td { padding: .3rem .4rem; } th[scope="row"] { white-space: normal; max-width: 7rem; } }
details { margin: .8rem 0; }
summary { cursor: pointer; }
pre { background: var(--panel); padding: .8rem; overflow-x: auto; font-size: .8rem; line-height: 1.4; }
`;
