import type { Prediction } from '../evaluation/predictions.ts';
import { html, type Markup } from './html.ts';
import type { ReportData } from './report-data.ts';

const shown = 10;

/** Right and wrong answers at the threshold from validation, and the mistakes that the model was surest of; ids, never code. */
export function errorsSection({ comparison, test }: ReportData): Markup {
	const { confusion, threshold } = comparison.rows[0]!.evaluation;
	if (confusion === null || threshold.value === null) {
		return html`<section>
<h2>Right and wrong</h2>
<p>There is no threshold from validation, so no answer is right or wrong.</p>
</section>`;
	}
	const { truePositives, falseNegatives, falsePositives, trueNegatives } = confusion;
	return html`<section>
<h2>Right and wrong</h2>
<p>A function counts as vulnerable from a probability of ${threshold.value.toPrecision(4)} on, the threshold from validation.</p>
<div class="scroll"><table class="confusion">
<thead><tr><td></td><th scope="col">called vulnerable</th><th scope="col">called not vulnerable</th></tr></thead>
<tbody>
<tr><th scope="row">vulnerable</th><td class="right">${truePositives}</td><td class="wrong">${falseNegatives}</td></tr>
<tr><th scope="row">not vulnerable</th><td class="wrong">${falsePositives}</td><td class="right">${trueNegatives}</td></tr>
</tbody>
</table></div>
<div class="columns">
${errorList('Missed with the lowest probability', mostConfident(test, threshold.value, 1))}
${errorList('False alarms with the highest probability', mostConfident(test, threshold.value, 0))}
</div>
</section>`;
}

/** Mistakes on functions of one label, the surest first, equals by id. */
export function mostConfident(
	predictions: readonly Prediction[],
	threshold: number,
	label: 0 | 1,
): Prediction[] {
	const isWrong = (probability: number) => (label === 1 ? probability < threshold : probability >= threshold);
	const direction = label === 1 ? 1 : -1;
	return predictions
		.filter((row) => row.label === label && row.probability !== null && isWrong(row.probability))
		.sort(
			(a, b) =>
				direction * (a.probability! - b.probability!) || String(a.id).localeCompare(String(b.id), 'en'),
		)
		.slice(0, shown);
}

function errorList(title: string, errors: readonly Prediction[]): Markup {
	if (errors.length === 0) return html`<div><h3>${title}</h3><p>None.</p></div>`;
	const rows = errors.map(
		({ id, probability, cwe, commit }) =>
			html`<tr><th scope="row">${String(id)}</th><td>${probability!.toFixed(3)}</td><td>${cwe ?? ''}</td><td>${commit?.slice(0, 10) ?? ''}</td></tr>
`,
	);
	return html`<div><h3>${title}</h3>
<div class="scroll"><table class="errors">
<thead><tr><th scope="col">id</th><th scope="col">probability</th><th scope="col">weakness</th><th scope="col">commit</th></tr></thead>
<tbody>${rows}</tbody>
</table></div></div>`;
}
