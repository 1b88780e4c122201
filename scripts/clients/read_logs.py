"""Opens what `vulntune experiment run --log tensorboard` and `--log mlflow` write with the programs that read it.

    $VULNTUNE_PYTHON scripts/clients/read_logs.py studies/rank

Needs tensorboard and mlflow-skinny. Prints how many runs and numbers each found; ends with an error where a reader finds none.
"""

import os
import sys
from pathlib import Path

study = Path(sys.argv[1])


def read_tensorboard(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    numbers = 0
    for run in runs:
        events = EventAccumulator(str(run), size_guidance={"scalars": 0})
        events.Reload()
        tags = events.Tags()["scalars"]
        assert "train/loss" in tags or "validation/loss" in tags, f"{run.name} has only {tags}"
        numbers += sum(len(events.Scalars(tag)) for tag in tags)
    assert runs and numbers, "TensorBoard finds nothing"
    print(f"TensorBoard reads {len(runs)} runs, {numbers} numbers")


def read_mlflow(folder: Path) -> None:
    # the file store is what these files are, though newer versions prefer a database
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=folder.resolve().as_uri())
    experiments = client.search_experiments()
    runs = client.search_runs([experiment.experiment_id for experiment in experiments])
    numbers = sum(len(client.get_metric_history(run.info.run_id, name)) for run in runs for name in run.data.metrics)
    assert runs and numbers, "MLflow finds nothing"
    for run in runs:
        assert run.info.status == "FINISHED" and run.data.params, run.info
    print(f"MLflow reads {len(runs)} runs of {[experiment.name for experiment in experiments]}, {numbers} numbers")


if (study / "tensorboard").exists():
    read_tensorboard(study / "tensorboard")
if (study / "mlruns").exists():
    read_mlflow(study / "mlruns")
