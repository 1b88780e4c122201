import { renderCrossValidation } from '../cross-validation/compare-folds.ts';
import { type CrossValidationRequest, crossValidate } from '../cross-validation/run-cross-validation.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { showEvent } from './train-command.ts';

/** What `vulntune cross-validate` does. */
export async function crossValidateFromConfig(
	request: CrossValidationRequest,
	context: CommandContext,
): Promise<CommandResult> {
	const result = await crossValidate(request, {
		note: context.progress.note,
		event: (event) => showEvent(event, context),
		interruption: context.interruption(),
	});
	return { data: result, text: renderCrossValidation(result) };
}
