-- A ledger as version 1 wrote it: never changed, so that a change of the first migration shows.
CREATE TABLE grids (
	name TEXT PRIMARY KEY,
	file TEXT NOT NULL,
	columns TEXT NOT NULL -- JSON: names of the options in which its cells differ
) STRICT;

CREATE TABLE runs (
	id TEXT PRIMARY KEY, -- hash of resolved config, dataset and base
	folder TEXT NOT NULL, -- relative to the ledger's, absolute where another ledger's run was taken
	status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'finished', 'failed')),
	config TEXT NOT NULL, -- YAML
	dataset_hash TEXT,
	base_fingerprint TEXT, -- JSON
	holder TEXT, -- JSON: the process that computes it
	heartbeat REAL, -- seconds since 1970
	attempts INTEGER NOT NULL DEFAULT 0,
	failed_at REAL,
	error_code TEXT,
	error_message TEXT,
	environment TEXT, -- JSON
	best_epoch INTEGER,
	verdict TEXT,
	seconds REAL,
	peak_bytes INTEGER
) STRICT;

CREATE TABLE cells (
	grid TEXT NOT NULL REFERENCES grids (name),
	position INTEGER NOT NULL,
	name TEXT NOT NULL,
	settings TEXT NOT NULL, -- JSON: option to value, as written in the grid
	run TEXT NOT NULL REFERENCES runs (id),
	PRIMARY KEY (grid, position)
) STRICT;

CREATE TABLE metrics (
	run TEXT NOT NULL REFERENCES runs (id),
	split TEXT NOT NULL,
	detector TEXT NOT NULL, -- 'model', or a baseline
	metric TEXT NOT NULL,
	value REAL,
	low REAL,
	high REAL,
	reason TEXT, -- why value or interval are NULL
	PRIMARY KEY (run, split, detector, metric)
) STRICT;

CREATE TABLE epochs (
	run TEXT NOT NULL REFERENCES runs (id),
	epoch INTEGER NOT NULL,
	loss REAL NOT NULL,
	roc_auc REAL,
	average_precision REAL,
	f1 REAL,
	threshold REAL,
	PRIMARY KEY (run, epoch)
) STRICT;

CREATE TABLE predictions (
	run TEXT NOT NULL REFERENCES runs (id),
	split TEXT NOT NULL,
	file TEXT NOT NULL, -- relative to the run's folder
	PRIMARY KEY (run, split)
) STRICT;

PRAGMA user_version = 1;

INSERT INTO grids VALUES ('rank', '/home/user/rank.yaml', '["method.rank"]');
INSERT INTO runs (id, folder, status, config, dataset_hash, base_fingerprint, attempts, environment, best_epoch, verdict, seconds, peak_bytes)
VALUES ('0a1b2c3d4e5f60718293', 'runs/0a1b2c3d4e5f6071', 'finished', 'method: { type: lora, rank: 4 }', 'd', '{"weights":"w"}', 1, '{"node":"v24.0.0"}', 2,
	'In ROC AUC lora beats length.', 12.5, 1048576);
INSERT INTO runs (id, folder, status, config, dataset_hash) VALUES ('1111111111111111ffff', 'runs/1111111111111111', 'pending', 'method: { type: lora, rank: 8 }', 'd');
INSERT INTO cells VALUES ('rank', 0, 'rank=4', '{"method.rank":4}', '0a1b2c3d4e5f60718293'), ('rank', 1, 'rank=8', '{"method.rank":8}', '1111111111111111ffff');
INSERT INTO metrics VALUES ('0a1b2c3d4e5f60718293', 'test', 'model', 'rocAuc', 0.61, 0.54, 0.68, NULL), ('0a1b2c3d4e5f60718293', 'test', 'model', 'f1', 0.5, NULL, NULL, 'one group');
INSERT INTO epochs VALUES ('0a1b2c3d4e5f60718293', 1, 0.7, 0.52, 0.5, 0.6, 0.4), ('0a1b2c3d4e5f60718293', 2, 0.6, 0.58, 0.5, 0.6, 0.4);
INSERT INTO predictions VALUES ('0a1b2c3d4e5f60718293', 'test', 'predictions.test.jsonl');
