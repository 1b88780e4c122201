import path from 'node:path';
import { inputError, VulntuneError, writeFileAtomically } from '@vulntune/engine';
import { compareCells, renderCellComparison } from '../experiments/compare-cells.ts';
import { isExport } from '../experiments/export/table.ts';
import { toCsv, toLatex, toMarkdown } from '../experiments/export/text-formats.ts';
import { startJobs } from '../experiments/jobs.ts';
import { type Ledger, ledgerError, ledgerFile, openLedger } from '../experiments/ledger/open-ledger.ts';
import { planStudy, renderStudyPlan, wouldBePartial } from '../experiments/plan-study.ts';
import { readStudy } from '../experiments/read-study.ts';
import type { StudyEvent, StudyOutcome, StudyRequest } from '../experiments/run-study.ts';
import { readCell, renderCell } from '../experiments/show-cell.ts';
import { renderStudy } from '../experiments/study-text.ts';
import { checkOutputFile } from '../run/output-file.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { exitCodes } from '../terminal/exit-code.ts';
import { formatCount } from '../terminal/format.ts';
import type { ExperimentCommands, ExportExperimentRequest, RunExperimentRequest } from './experiment.ts';
import { showEvent } from './train-command.ts';

/** Runs the cells of a study; tests have a way without threads and processes. */
export type StartStudy = (
	request: StudyRequest,
	jobs: number,
	onEvent: (event: StudyEvent) => void,
	interruption: AbortSignal,
) => Promise<StudyOutcome>;

/** What does the work of `vulntune experiment …`. */
export function experimentCommands(start: StartStudy = startJobs): ExperimentCommands {
	return {
		run: (request, context) => runExperiment(request, context, start),
		status: async (study) =>
			withLedger(study, (ledger) => {
				const data = readStudy(ledger);
				return { data, text: renderStudy(data) };
			}),
		show: async (study, cell) =>
			withLedger(study, (ledger) => {
				const data = readCell(ledger, cell);
				return { data, text: renderCell(data) };
			}),
		compare: (study, [a, b]) =>
			withLedger(study, async (ledger) => {
				const data = await compareCells(ledger, a, b);
				return { data, text: renderCellComparison(data) };
			}),
		report: (study) =>
			withLedger(study, async (ledger) => {
				const { writeStudyReport } = await import('../experiments/report/write-study-report.ts');
				const data = await writeStudyReport(ledger);
				const without = data.withoutPng === null ? [] : [`No PNG files: ${data.withoutPng}.`];
				return { data, text: [`The report is ${data.report}.`, ...without].join('\n') };
			}),
		export: exportStudy,
	};
}

async function withLedger(
	folder: string,
	read: (ledger: Ledger) => CommandResult | Promise<CommandResult>,
): Promise<CommandResult> {
	const ledger = openLedger(folder);
	try {
		return await read(ledger);
	} catch (error) {
		throw ledgerError(error, ledgerFile(folder));
	} finally {
		ledger.close();
	}
}

/** What a study was begun with besides its grid and folder, as a shell takes it. */
function flagsOf({
	overrides,
	jobs,
	...chosen
}: Pick<RunExperimentRequest, 'overrides' | 'only' | 'cell' | 'jobs' | 'reuse' | 'log'>): string {
	const flags = Object.entries({ ...overrides, ...chosen, ...(jobs === 1 ? {} : { jobs }) });
	return flags
		.filter(([, value]) => value !== undefined)
		.map(([name, value]) => ` --${name} ${inShell(String(value))}`)
		.join('');
}

function inShell(text: string): string {
	return /^[\w./:=,@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function runExperiment(
	{ grid, output, overrides, only, cell, jobs, reuse, log, dryRun }: RunExperimentRequest,
	context: CommandContext,
	start: StartStudy,
): Promise<CommandResult> {
	if (cell !== undefined && only !== undefined) {
		throw inputError('USAGE', '--cell and --only both choose cells: give one of them');
	}
	const request: StudyRequest = {
		...{ grid, overrides, cell, threads: null, log: log ?? null },
		output: path.resolve(output),
		only: listOf(only),
		reuse: listOf(reuse).map((folder) => path.resolve(folder)),
	};
	const { progress } = context;
	if (dryRun) {
		const plan = await planStudy(request, {
			jobs,
			note: progress.note,
			progress: (done, total) => progress.update({ task: 'planning', done, total, unit: 'cells' }),
		});
		const exitCode = wouldBePartial(plan) ? exitCodes.partial : 0;
		return { data: plan, text: renderStudyPlan(plan), exitCode };
	}
	const outcome = await start(
		request,
		jobs,
		(event) => showStudyEvent(event, context),
		context.interruption(),
	);
	return withLedger(request.output, (ledger) => {
		const study = readStudy(ledger, outcome.grid);
		if (outcome.status === 'interrupted') {
			throw new VulntuneError({
				code: 'INTERRUPTED',
				kind: 'interrupted',
				message: `stopped with ${study.counts.finished} of ${formatCount(study.cells.length, 'cell')} finished; everything up to the last sequence is saved`,
				place: output,
				remedy: `Go on with: vulntune experiment run ${grid} --output ${output}${flagsOf({ overrides, only, cell, jobs, reuse, log })}`,
			});
		}
		const { left, failed } = outcome;
		const spent =
			left === 0
				? []
				: [
						'',
						`The budget is used up: ${formatCount(left, 'cell')} ${left === 1 ? 'was' : 'were'} not begun.`,
					];
		const exitCode = failed > 0 || left > 0 ? exitCodes.partial : 0;
		return { data: { ...study, left }, text: [renderStudy(study), ...spent].join('\n'), exitCode };
	});
}

function listOf(text: string | undefined): string[] {
	return (text ?? '')
		.split(',')
		.map((part) => part.trim())
		.filter((part) => part !== '');
}

function showStudyEvent(event: StudyEvent, context: CommandContext): void {
	const { note } = context.progress;
	if (event.type === 'cell') {
		note(`cell ${event.position} (${event.finished} of ${event.cells} finished): ${event.name}`);
	} else if (event.type === 'failed') note(`failed: ${event.name}: ${event.message}`);
	else showEvent(event, context);
}

async function exportStudy({ study, format, output }: ExportExperimentRequest): Promise<CommandResult> {
	if (output !== undefined) checkOutputFile(output, '--output', 'an exported study', isExport);
	return withLedger(study, async (ledger) => {
		const data = readStudy(ledger);
		if (format === 'parquet') {
			if (output === undefined) {
				throw inputError('USAGE', '--format parquet is no text: give a file with --output');
			}
			const { toParquet } = await import('../experiments/export/parquet.ts');
			return written(output, toParquet(data), data.cells.length);
		}
		const text = { csv: toCsv, md: toMarkdown, latex: toLatex }[format](data);
		if (output === undefined) return { data, text };
		return written(output, new TextEncoder().encode(text), data.cells.length);
	});
}

function written(output: string, bytes: Uint8Array, cells: number): CommandResult {
	writeFileAtomically(output, (append) => append(bytes));
	return {
		data: { output, cells },
		text: `${formatCount(cells, 'cell')} ${cells === 1 ? 'is' : 'are'} in ${output}.`,
	};
}
