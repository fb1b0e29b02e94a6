from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling, Trainer, TrainingArguments

tok = AutoTokenizer.from_pretrained("uer/gpt2-chinese-cluecorpussmall")
tok.pad_token = tok.pad_token or tok.eos_token
poems = load_dataset("text", data_files={"train": "poems_train.txt", "valid": "poems_valid.txt"})


def encode(rows):
    return tok(rows["text"], truncation=True, max_length=64, padding=True)


poems = poems.map(encode, batched=True, remove_columns=["text"])
trainer = Trainer(
    model=AutoModelForCausalLM.from_pretrained("uer/gpt2-chinese-cluecorpussmall"),
    args=TrainingArguments("poems", num_train_epochs=2, per_device_train_batch_size=16, eval_strategy="epoch"),
    train_dataset=poems["train"], eval_dataset=poems["valid"],
    data_collator=DataCollatorForLanguageModeling(tok, mlm=False))
trainer.train()
print(trainer.evaluate())
