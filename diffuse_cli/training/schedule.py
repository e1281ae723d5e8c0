"""The learning rate over a run."""

from .config import TrainConfig


def rate(config: TrainConfig, steps_done: int, progress: float) -> float:
    """The rate of the next step: up over the warm-up, constant, and down to 0 over the last `decay` of the run.

    Args:
        steps_done: of this run, so far.
        progress: 0..1, the share of the run that is done.
    """
    rising = min(steps_done / config.warmup + 1e-3, 1.0) if config.warmup else 1.0
    falling = min(1.0, (1 - progress) / config.decay) if config.decay else 1.0
    return config.lr * rising * max(falling, 0.0)
