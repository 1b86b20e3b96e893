from electra import ElectraConfig

discriminator = ElectraConfig.small(num_labels=3)
generator = discriminator.generator()
print(discriminator.hidden_size, generator.hidden_size, generator.embedding_size)
print(discriminator.id2label)
