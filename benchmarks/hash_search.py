"""The search of ETA: packed codes with XOR and a count against inner products.

``python -m benchmarks.hash_search [--rounds 20]``. Scores the histories of 100 requests
in both ways, from the ids on: look up, then compare. Time is that of the process, on
one thread, as a ratio within one run; bytes are those read per step of a history.
"""

import argparse
import time
from statistics import median

import pandas as pd
import torch
import torch.nn.functional as F

from recsys_tutorial.models.eta import HashSearch, hamming

ITEMS, WIDTH, REQUESTS = 10_000, 32, 100


def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    table = torch.randn(ITEMS, WIDTH, generator=draw)
    candidate = torch.randint(ITEMS, (REQUESTS,), generator=draw)
    rows = []
    for length in (64, 256, 1024, 4096):
        ids = torch.randint(ITEMS, (REQUESTS, length), generator=draw)

        def floats(ids=ids):
            steps = F.embedding(ids, table)
            return steps @ F.embedding(candidate, table).unsqueeze(2)

        for bits in (64, 128, 256):
            codes = HashSearch(WIDTH, bits).codes(table)

            def packed(ids=ids, codes=codes):
                return hamming(F.embedding(ids, codes), codes[candidate].unsqueeze(1))

            floats(), packed()  # once to warm up
            times = [(seconds(floats), seconds(packed)) for _ in range(rounds)]
            ratio = median(f for f, _ in times) / median(p for _, p in times)
            rows.append((length, bits, 4 * WIDTH, bits // 8, round(ratio, 2)))
    names = ["length", "bits", "bytes, floats", "bytes, codes", "time, floats / codes"]
    print(pd.DataFrame(rows, columns=names).to_string(index=False))


if __name__ == "__main__":
    main()
