import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { CrossValidateRequest } from './cross-validate.ts';
import { fetchModel } from './fetch-model.ts';
import { showEvent } from './train-command.ts';

/** What `vulntune cross-validate` does. */
export async function crossValidateFromConfig(
	{ dryRun, download, ...request }: CrossValidateRequest,
	context: CommandContext,
): Promise<CommandResult> {
	const { note } = context.progress;
	const model = await fetchModel(request.config.model, download, context);
	const asked = { ...request, config: { ...request.config, model } };
	if (dryRun) {
		const { planCrossValidation, renderCrossValidationPlan } = await import(
			'../plan/plan-cross-validation.ts'
		);
		const plan = await planCrossValidation(asked, note);
		return { data: plan, text: renderCrossValidationPlan(plan) };
	}
	const [{ crossValidate }, { renderCrossValidation }] = await Promise.all([
		import('../cross-validation/run-cross-validation.ts'),
		import('../cross-validation/compare-folds.ts'),
	]);
	const result = await crossValidate(asked, {
		note,
		event: (event) => showEvent(event, context),
		interruption: context.interruption(),
	});
	return { data: result, text: renderCrossValidation(result) };
}
