from electra import ElectraConfig, ElectraError

try:
    ElectraConfig(hidden_size=250, hidden_act="gleu")
except ElectraError as error:
    print(f"{type(error).__name__}, exit code {error.exit_code}: {error}")
