"""Datasets: where they come from, how they are split, and the one file layout that all of them share.

``bundled``, ``directory``, ``npz`` and ``synthetic`` each return the same layout (``prepare``), which ``load`` reads;
``download`` fetches the files that ``directory`` reads. This file imports nothing: each module stands alone, so that
an edit to one source of data reruns only what uses that source.
"""
