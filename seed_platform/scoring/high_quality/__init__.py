"""The high-quality corpus of PAPER §5: seeds, negatives and rounds of fastText, for each source of files apart.

What belongs here: from scored files to the ones the corpus holds. What does not: the scores (`scoring`), where files
are stored (`lake`), and how the work is scheduled (`steps`).
"""
