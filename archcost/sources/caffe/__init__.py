"""A Caffe network, ``deploy.prototxt`` or ``train_val.prototxt`` -> :class:`~archcost.ir.Graph`.

The network is read as Caffe runs it at inference: layers whose rules ask for the phase TEST stay,
those for TRAIN go, unless the file's ``state`` or the settings say otherwise. Settings: ``phase``
(``test`` or ``train``), ``stage`` (one or a list), ``level``, and ``proposals``, the number of
regions that a proposal layer gives (300, Faster R-CNN's at test).

- The batch is the one asked for, else 1, whatever the file has: dimension 0 of the first input,
  and of others where it is as large. Networks with LSTM and RNN layers, whose first dimension is
  time, keep the file's sizes.
- Inputs are the tops of data layers and ``input`` fields that a layer reads. Labels are left out.
  A size that the file does not tell (data in a database, without a crop) is to be given.
- A loss layer becomes the function in it (SoftmaxWithLoss a softmax, SigmoidCrossEntropyLoss a
  sigmoid), or goes where it has none; so do Accuracy, Silence and HDF5Output. What the network
  gives is what no layer is left to read.
- A layer that works in place is a node that writes over its input; what ``Split`` copies is one
  tensor with several names; parameters of one name are one parameter.

``graph.metadata`` has, besides the title and the assumptions, ``format``: ``caffe``, and ``blobs``:
the names of blobs without a layer of that name -> the tensor of the graph whose shape they have,
which is what Netscope calls implicit layers.
"""

from __future__ import annotations

from archcost.sources.caffe.reader import network, read

__all__ = ["network", "read"]
