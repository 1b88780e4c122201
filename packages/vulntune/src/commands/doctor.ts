import type { MachineReport } from '../doctor/examine-machine.ts';
import { formatBytes } from '../terminal/format.ts';
import type { CommandDefinition } from './program.ts';

/** `vulntune doctor`. */
export const doctorCommand: CommandDefinition = (program, run) => {
	program
		.command('doctor')
		.summary('show what this machine offers')
		.description(
			'Show what this machine offers: backend, instruction set, threads, memory, GPUs, and what would fit.',
		)
		.addHelpText('after', '\nExamples:\n  vulntune doctor\n  vulntune doctor --json')
		.action(() =>
			run(async () => {
				const { examineMachine } = await import('../doctor/examine-machine.ts');
				const report = examineMachine();
				return { data: report, text: describeMachine(report) };
			}),
		);
};

/** The report as lines for people. */
export function describeMachine(report: MachineReport): string {
	const { nativeFailure: failure } = report;
	const sets = report.instructionSets.filter(({ supported }) => supported).map(({ name }) => name);
	const lines = [
		`backend   ${report.backend}${report.isa === null ? '' : `, ${report.isa}`}, threads: ${report.threads}`,
		...describePeaks(report),
		`cpu       ${report.cpu} (${report.platform}); kernels for ${sets.join(', ') || 'none'}`,
		`memory    ${formatBytes(report.memoryBytes)}, free: ${formatBytes(report.freeMemoryBytes)}`,
		`disk      ${report.diskFreeBytes === null ? 'unknown' : formatBytes(report.diskFreeBytes)} free in the working folder`,
		`tokens    kept in ${report.tokenCacheFolder}`,
		...describeCards(report),
		`node      ${report.node}`,
	];
	if (failure !== null) {
		lines.push(
			'',
			`No native kernels: ${failure.reason}. ${instead(report)}`,
			...(failure.details === null ? [] : [failure.details]),
			'Install g++ or clang++ (C++20) and run `npm rebuild @vulntune/engine`.',
		);
	}
	lines.push(
		'',
		`Would fit in ${formatBytes(report.memoryBytes)}, where nothing else takes any, ${setting}:`,
		...describeFits(report.fits),
	);
	for (const card of report.gpus.filter(({ unusable }) => unusable === null)) {
		const { ordinal, name, memoryBytes, freeBytes } = card;
		const room =
			freeBytes === null ? formatBytes(memoryBytes) : `${formatBytes(freeBytes)} that are free now`;
		lines.push(
			'',
			`Would fit on card ${ordinal}, ${name}, in ${room} ${setting}:`,
			...describeFits(card.fits),
		);
	}
	return lines.join('\n');
}

const setting = '(estimates for adapters of rank 8, 512 tokens)';

function describeFits(all: MachineReport['fits']): string[] {
	return all.map(({ model, method, bytes, checkpointing, fits }) => {
		const setting = `  with training.checkpointing${checkpointing === 'host' ? ': host' : ''}`;
		const how = fits && checkpointing !== false ? setting : '';
		return `  ${fits ? 'yes' : 'no '}  ${model.padEnd(24)}${method.padEnd(7)}${formatBytes(bytes).padStart(9)}${how}`;
	});
}

/** A line for each card, or why there is none. */
function describeCards({ gpus, gpusMissing }: MachineReport): string[] {
	if (gpusMissing !== null) return [`gpus      none: ${gpusMissing}`];
	return gpus.map(({ ordinal, name, memoryBytes, freeBytes, capability, driver, unusable }, index) => {
		const free = freeBytes === null ? '' : `, free: ${formatBytes(freeBytes)}`;
		const verdict = unusable === null ? '' : `; not used: ${unusable}`;
		return `${(index === 0 ? 'gpus' : '').padEnd(10)}${ordinal} ${name}, ${formatBytes(memoryBytes)}${free}, compute capability ${capability}, driver of CUDA ${driver}${verdict}`;
	});
}

/** Why bfloat16 instructions are taken or left. */
function describePeaks({ peaks }: MachineReport): string[] {
	if (peaks === null) return [];
	const [bf16, fp32] = [peaks.bf16, peaks.fp32].map((speed) => (speed / 1e9).toFixed(0));
	const verdict = peaks.bf16 > peaks.fp32 ? 'taken' : 'left, because they are not faster';
	return [`          bf16 instructions ${verdict}: ${bf16} Gflop/s a thread, fp32 ${fp32}`];
}

/** What runs where there are no native kernels. */
function instead({ wasmFailure: failure }: MachineReport): string {
	return failure === null
		? 'WebAssembly takes their place, two to six times slower.'
		: `Everything runs, very slowly, because ${failure.reason} (${failure.details}).`;
}
