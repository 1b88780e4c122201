import { stringify } from 'yaml';
import { measuredLines } from '../evaluation/metric-lines.ts';
import { markedLabel } from '../evaluation/metric-table.ts';
import { type NumberedReasons, numberReasons } from '../evaluation/numbered-reasons.ts';
import { withoutThreshold } from '../evaluation/render-comparison.ts';
import { hubNameOf } from '../hub/cache.ts';
import { isHubName, parseHubName } from '../hub/names.ts';
import { peftLimit } from '../methods/peft-limit.ts';
import type { Evaluation, Metric } from '../metrics/evaluation.ts';
import { headOf } from '../scoring/configured-detector.ts';
import { describeBaselines } from './baseline-words.ts';
import { calibratedTest } from './calibrated-test.ts';
import { calibrationIntroduction } from './calibration-section.ts';
import { signed } from './metric-parts.ts';
import { functionCounts } from './metrics-section.ts';
import { syntheticWarning } from './page.ts';
import { lastPart, type ReportData } from './report-data.ts';
import { trainingFacts } from './training-facts.ts';

/** The metrics of the front matter, by the names that Hugging Face's hub knows. */
const hubMetrics: readonly (readonly [type: string, name: string, of: (evaluation: Evaluation) => Metric])[] =
	[
		['roc_auc', 'ROC AUC', (evaluation) => evaluation.rocAuc],
		['average_precision', 'Average precision', (evaluation) => evaluation.averagePrecision],
		['f1', 'F1 at the validation threshold', (evaluation) => evaluation.f1],
		['precision', 'Precision at the validation threshold', (evaluation) => evaluation.precision],
		['recall', 'Recall at the validation threshold', (evaluation) => evaluation.recall],
		['matthews_correlation', 'MCC at the validation threshold', (evaluation) => evaluation.mcc],
	];

/** The model card: README.md with the metadata that Hugging Face's hub reads (`model-index`). */
export function renderModelCard(data: ReportData): string {
	return `---\n${frontMatter(data)}---\n\n${body(data)}`;
}

function frontMatter(data: ReportData): string {
	const { evaluation } = data.comparison.rows[0]!;
	const dataset = lastPart(data.dataset);
	const metrics = hubMetrics.flatMap(([type, name, of]) => {
		const metric = of(evaluation);
		if (metric.value === null) return [];
		const interval = metric.low === null ? {} : { args: { interval95: [metric.low, metric.high] } };
		return [{ type, name, value: metric.value, ...interval }];
	});
	return stringify(
		{
			...baseModel(data),
			library_name: readers(data).isPeft ? 'peft' : 'vulntune',
			pipeline_tag: 'text-classification',
			tags: ['code', 'vulnerability-detection', data.method, ...(data.isSynthetic ? ['synthetic-data'] : [])],
			metrics: metrics.map(({ type }) => type),
			'model-index': [
				{
					name: data.run,
					results: [
						{
							task: { type: 'text-classification', name: 'Vulnerability detection' },
							dataset: {
								type: dataset,
								name: data.isSynthetic ? `${dataset} (synthetic)` : dataset,
								split: 'test',
							},
							metrics,
						},
					],
				},
			],
		},
		{ lineWidth: 0 },
	);
}

/** What reads what was trained and gives its probabilities, beside vulntune; and whether that is PEFT. */
function readers({ method, settings }: ReportData): { readonly text: string; readonly isPeft: boolean } {
	if (method === 'full') {
		const text =
			"The adapter folder holds a whole model, head included, in Hugging Face's layout; the probabilities are those of vulntune.";
		return { text, isPeft: false };
	}
	if (method !== 'lora' && method !== 'qlora') return { text: 'vulntune alone reads it.', isPeft: false };
	const limit = peftLimit({ ...settings.method, head: headOf(settings) });
	const text = limit ?? 'The adapter is in the layout of PEFT, which reads it with its base model.';
	return { text, isPeft: limit === undefined };
}

/** The base's name on a hub, by which it was given or from whose cache it was taken; none for a folder of this machine. */
function baseModel({ model }: ReportData): { readonly base_model?: string } {
	const name = model === null ? undefined : isHubName(model) ? parseHubName(model).name : hubNameOf(model);
	return name === undefined ? {} : { base_model: name };
}

function body(data: ReportData): string {
	const { comparison, title, isSynthetic } = data;
	const { rows, missing } = comparison;
	const { counts, threshold } = rows[0]!.evaluation;
	const paragraphs = [
		`# ${escapeMarkdown(title)}`,
		isSynthetic ? `**${syntheticWarning}**` : '',
		'Gives a function of source code the probability that it is vulnerable. Trained and measured with vulntune.',
		`## Does it work?\n\n${escapeMarkdown(comparison.verdict)}`,
		`Test split: ${counts.functions} functions, ${counts.positives} vulnerable. In brackets: 95 % intervals. The columns after the first are trivial baselines fitted on the same training rows.${missing.count > 0 ? ` ${missing.count} functions were not scored and are not counted.` : ''}${data.truncated > 0 ? ` ${data.truncated} functions were cut to the length of a sequence.` : ''}`,
		...metricsTable(data),
		'↓ lower is better; of all other metrics higher. f1_oracle takes its threshold from the test labels: an upper bound, not a result. VD-S is the share of vulnerable functions missed at a false-positive rate of at most 0.5 %.',
		`The baselines see nothing of the model: ${describeBaselines(data)
			.map(([name, words]) => `*${name}* ${words}`)
			.join(', ')}.`,
		...calibrationTable(data),
		`## How to use it

    npx vulntune evaluate RUN --data DATASET

RUN is the folder that holds this file, DATASET a folder or .tar.gz of rows.

${readers(data).text}

${threshold.value === null ? withoutThreshold : `A function counts as vulnerable from a probability of ${threshold.value} on. The threshold comes from the validation split and is stored beside the adapter.`}`,
		`## How it was trained

${trainingFacts(data)
	.map(([name, text]) => `- ${name}: ${escapeMarkdown(text)}`)
	.join('\n')}

Every option is in config.yaml, versions and hashes are in environment.json, curves are in report.html.`,
		`## Limits

- It reads one function at a time: what its callers check or pass is unknown to it.
- Labels of such data come from commits that fixed vulnerabilities, and are wrong for a part of the functions.
- Other projects, languages and kinds of weakness than those of the training data may score quite differently; the test split may share projects with the training split.
- A low probability is no proof of absence, a high one no proof of presence. It ranks functions for review by people.`,
	];
	return `${paragraphs.filter((text) => text !== '').join('\n\n')}\n`;
}

/** The table, and below it why values are undefined or have no interval. */
function metricsTable({ comparison: { rows }, truncated }: ReportData): string[] {
	const notes = numberReasons();
	const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
	const values = measuredLines(rows.map(({ evaluation }) => evaluation)).map((measured) =>
		line([markedLabel(measured), ...measured.metrics.map((metric) => metricText(metric, notes))]),
	);
	const table = [
		line(['', ...rows.map(({ name }) => escapeMarkdown(name))]),
		line(['---', ...rows.map(() => '---:')]),
		...values,
		...functionCounts(rows, truncated).map(line),
	].join('\n');
	return [table, ...notes.reasons.map((reason, index) => `(${index + 1}) ${escapeMarkdown(reason)}`)];
}

/** What the maps beside the adapter make of the calibration error; nothing where none lies there. */
function calibrationTable(data: ReportData): string[] {
	const maps = calibratedTest(data);
	if (maps === undefined) return [];
	const notes = numberReasons();
	const rows = maps.rows.map(({ name, ece, change, brier }) => {
		const changed = change === undefined ? '' : metricText(change, notes, signed);
		return `| ${[name, metricText(ece, notes), changed, metricText(brier, notes)].join(' | ')} |`;
	});
	const head =
		'| probabilities | calibration error ↓ | change | Brier score ↓ |\n| --- | ---: | ---: | ---: |';
	return [
		`## Calibration\n\n${calibrationIntroduction} ${maps.verdict} \`--calibration temperature\` or \`isotonic\` of vulntune evaluate puts one behind the probabilities.`,
		[head, ...rows].join('\n'),
		...notes.reasons.map((reason, index) => `(${index + 1}) ${escapeMarkdown(reason)}`),
	];
}

function metricText(
	metric: Metric,
	{ numberOf }: NumberedReasons,
	text = (value: number) => value.toFixed(3),
): string {
	if (metric.value === null) return `undefined (${numberOf(metric.reason)})`;
	const value = text(metric.value);
	if (metric.low === null) return `${value} (${numberOf(metric.reason)})`;
	return `${value} [${text(metric.low)}, ${text(metric.high)}]`;
}

/** Foreign text as one line without markup; never at the start of a line, where more characters would mean something. */
function escapeMarkdown(text: string): string {
	return oneLine(text).replace(/[\\`*_{}[\]|<>~&]/g, '\\$&');
}

function oneLine(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
	return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ');
}
