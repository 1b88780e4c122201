/** 95 → `1 min 35 s`; two units at most, the way a person says how long something takes. */
export function formatDuration(seconds: number): string {
	const whole = Math.max(0, Math.round(seconds));
	const days = Math.floor(whole / 86_400);
	const hours = Math.floor((whole % 86_400) / 3600);
	const minutes = Math.floor((whole % 3600) / 60);
	if (days > 0) return `${days} d ${hours} h`;
	if (hours > 0) return `${hours} h ${minutes} min`;
	if (minutes > 0) return `${minutes} min ${whole % 60} s`;
	return whole === 0 && seconds > 0 ? '<1 s' : `${whole} s`;
}

/** 95 → `about 1 min 35 s`; of next to nothing `<1 s` says enough. */
export function aboutDuration(seconds: number): string {
	const text = formatDuration(seconds);
	return text.startsWith('<') ? text : `about ${text}`;
}

/** 3, `cell` → `3 cells` */
export function formatCount(count: number, one: string): string {
	return `${count} ${one}${count === 1 ? '' : 's'}`;
}

/** 1536 → `1.5 KiB` */
export function formatBytes(bytes: number): string {
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
	let value = bytes;
	let unit = 0;
	while (value >= 1024 && unit < units.length - 1) {
		value /= 1024;
		unit += 1;
	}
	return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 1234.5 → `1,235`; below 10 with one digit. */
export function formatNumber(value: number): string {
	return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
}
