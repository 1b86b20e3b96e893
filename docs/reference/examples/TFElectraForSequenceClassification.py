import numpy as np

from electra import ElectraConfig, TFElectraForSequenceClassification

model = TFElectraForSequenceClassification(ElectraConfig.tiny(id2label={0: "bad", 1: "good"}))
inputs = {"input_ids": np.array([[2, 11, 12, 3], [2, 13, 14, 3]])}
model.compile(optimizer="adam", run_eagerly=True)  # no loss: the model's own is minimised
history = model.fit(inputs | {"labels": np.array([1, 0])}, epochs=2, verbose=0)
print(list(history.history), len(history.history["loss"]))
print(tuple(model.predict(inputs, verbose=0).logits.shape), model.config.problem_type)
