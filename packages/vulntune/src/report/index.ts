export { renderModelCard } from './model-card.ts';
export { renderPage } from './page.ts';
export { readRun } from './read-run.ts';
export type { ReportData, RunTimings, StepPoint } from './report-data.ts';
export { type ReportOptions, type WrittenReport, writeReport } from './write-report.ts';
