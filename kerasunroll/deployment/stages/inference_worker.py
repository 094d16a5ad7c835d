"""The process that times one file.

The job holds the `Contender` (`contender`), the path of the file (`path`) and that of a batch (`batch`). It announces
the phases `import` and `steady`, says that it is ready with the seconds of its first inferences, and answers
`{"count": n, "of": m}` with the `seconds` of an inference, each the mean of m, n times.
"""

import time
from pathlib import Path

from kerasunroll.measurement.workers.channel import open_channel

TRIAL = 5


def main() -> None:
    """Time what the job describes."""
    with open_channel() as channel:
        channel.phase("import")
        import numpy as np

        from kerasunroll.deployment.contender import Contender
        from kerasunroll.deployment.formats.running import open_file, runtime_name, use_threads

        contender = Contender(**channel.job["contender"])
        with np.load(channel.job["batch"]) as file:
            batch = [file[f"arr_{place}"] for place in range(len(file.files))]
        use_threads(contender)
        run = open_file(contender, Path(channel.job["path"]))

        def timed(count: int, of: int) -> list[float]:
            seconds = []
            for _ in range(count):
                start = time.perf_counter()
                for _ in range(of):
                    run(batch)
                seconds.append((time.perf_counter() - start) / of)
            return seconds

        channel.phase("steady")
        channel.report(runtime=runtime_name(contender), seconds=timed(TRIAL, 1))
        for command in channel.commands():
            channel.report(seconds=timed(command["count"], command["of"]))


if __name__ == "__main__":
    main()
