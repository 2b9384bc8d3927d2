"""The kinds of output that networks have, from crop to loss: ``bench.codecs.codec`` has them all."""
