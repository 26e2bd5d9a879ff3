EXTRA_DIST += bench/harness.py bench/network bench/start bench/warm
