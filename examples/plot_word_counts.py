"""
Topics of documents
===================

An :class:`~skdbn.RBM` with :class:`~skdbn.units.Multinomial` visible units is a model of
bags of words, the replicated softmax [1]_: a row counts the words of a document, and the
hidden units say what it is about. The documents here are made of known topics, so that we
can see what is found, and know the best perplexity there is.


.. [1] R. Salakhutdinov, G. Hinton (2009), "Replicated softmax: an undirected topic model",
   NIPS 22, 1607-1614.
.. [2] T. Griffiths, M. Steyvers (2004), "Finding scientific topics", PNAS 101, 5228-5235,
   doi:10.1073/pnas.0307752101.
"""

# %%
# The documents
# -------------
# The vocabulary has 25 words, drawn as the pixels of a square. The ten topics are its rows
# and columns, each of five words [2]_, and a document mixes a few of them. It has 20 to 80
# words, 5 % of which are any words at all.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import LatentDirichletAllocation

from skdbn import RBM
from skdbn.likelihood import log_likelihood
from skdbn.schedules import Ramp

side = np.arange(5)
rows = [np.isin(np.arange(25) // 5, i) for i in side]
columns = [np.isin(np.arange(25) % 5, i) for i in side]
topics = 0.95 * np.array([*rows, *columns]) / 5 + 0.05 / 25


def draw_documents(n_documents, rng):
    """Counts of words, and the probabilities they are drawn with."""
    words = rng.dirichlet(np.full(10, 0.1), n_documents) @ topics
    lengths = rng.integers(20, 81, n_documents)
    return np.array(
        [rng.multinomial(*pair) for pair in zip(lengths, words, strict=True)]
    ), words


rng = np.random.default_rng(0)
X_train, _ = draw_documents(5000, rng)
X_test, words_test = draw_documents(1000, rng)

# %%
# The models
# ----------
# Perplexity is the exponential of minus the log-likelihood of a word: a model of
# perplexity 10 is as uncertain of the next word as if there were ten, equally likely. The
# unigram model knows the frequencies of the words. The partition function of an RBM with
# ten hidden units, which is another one for each length of a document, is a sum over 1024
# states. Latent Dirichlet allocation, which is the model that the documents come from but
# for their noise, tells an upper bound. Best is who knows the topics of each document.

rbm = RBM(
    10,
    visible="multinomial",
    learning_rate=Ramp(0.003, 0.0, n_epochs=None),
    max_iter=60,
    random_state=0,
).fit(X_train)
lda = LatentDirichletAllocation(10, doc_topic_prior=0.1, max_iter=20, random_state=0)
lda.fit(X_train)

frequencies = (X_train.sum(axis=0) + 1) / (X_train.sum() + 25)
n_words = X_test.sum()
perplexities = {
    "unigram": np.exp(-(X_test @ np.log(frequencies)).sum() / n_words),
    "RBM": np.exp(-log_likelihood(rbm, X_test).sum() / n_words),
    "LDA": lda.perplexity(X_test),
    "topics known": np.exp(-(X_test * np.log(words_test)).sum() / n_words),
}
for name, perplexity in perplexities.items():
    print(f"{name:<14} perplexity {perplexity:.2f}")

# %%
# What they found
# ---------------
# The weights of a hidden unit say which words it makes likelier (red) and which less
# (blue). A unit of the RBM need not be a topic: several together multiply their votes.

pictures = {
    "topics": topics,
    "RBM, weights": rbm.components_,
    "LDA": lda.components_ / lda.components_.sum(axis=1, keepdims=True),
}
figure, lines = plt.subplots(3, 10, figsize=(8.5, 2.9), layout="constrained")
for line, (label, images) in zip(lines, pictures.items(), strict=True):
    signed = images.min() < 0
    top = np.abs(images).max()
    for axes, image in zip(line, images, strict=True):
        axes.imshow(
            image.reshape(5, 5),
            cmap="RdBu_r" if signed else "gray_r",
            vmin=-top if signed else 0,
            vmax=top,
        )
        axes.set(xticks=[], yticks=[])
    line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
figure.suptitle(
    "   ".join(f"{name} {perplexity:.1f}" for name, perplexity in perplexities.items()),
    fontsize="medium",
)

plt.show()
