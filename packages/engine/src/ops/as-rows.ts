import type { View } from '../backends/contract.ts';
import { elements, reshape } from '../backends/view.ts';

/** The same memory as rows of `width`. */
export function asRows(view: View, width: number): View {
	return reshape(view, [elements(view.shape) / width, width]);
}
