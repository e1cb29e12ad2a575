package main

// company is an account at the provider: a firm whose customers write in.
type company struct {
	account  string
	products []string
	topics   []topic
}

// topic is something that customers write about, with what they and the agents say.
type topic struct {
	subject         string
	worst, best     int // rating
	customer, agent []string
}

var companies = []company{
	{
		account:  "bluebird-bikes",
		products: []string{"Bluebird City", "Bluebird Cargo", "Bluebird Trail", "Bluebird Fold"},
		topics: []topic{{
			subject: "Battery of my {product} drains overnight", worst: 1, best: 3,
			customer: []string{
				"I charged my {product} to 100% on Sunday, and on Monday morning it was at 61% without a single ride.",
				"since the update {days} days ago the battery is empty every morning. The bike stands in a warm hallway.",
			},
			agent: []string{
				"that should not happen. Firmware 4.2 keeps the GPS awake; 4.2.1, out today, mends it. Could you update?",
				"thank you for the numbers. Please hold the power button for ten seconds; if it still drains, we will replace the battery.",
			},
		}, {
			subject: "The app does not find my {product}", worst: 2, best: 4,
			customer: []string{
				"the app has been searching for my {product} for {days} days. Bluetooth is on, my headphones connect at once.",
				"new phone, and now the bike is \"already paired\". With what? The old phone is at the bottom of a lake.",
			},
			agent: []string{
				"we have released the pairing of order {order} from here. Please try again; it should ask for the PIN under the saddle.",
				"please delete the bike in the phone's own Bluetooth list first. The app cannot do that by itself, sorry.",
			},
		}, {
			subject: "Love the {product}", worst: 5, best: 5,
			customer: []string{
				"{days} days, 210 km, two children in the front. I just wanted to say thank you, we have sold the car.",
				"best commute of my life. If you ever make a lighter rack for the {product}, I am the first to buy it.",
			},
			agent: []string{"you have made our whole team smile. May we quote you?", "thank you! The lighter rack comes in spring."},
		}},
	}, {
		account:  "kettle-and-co",
		products: []string{"Kettle One", "Pour Over Set", "Grinder M2", "Milk Frother"},
		topics: []topic{{
			subject: "{product} arrived broken", worst: 1, best: 3,
			customer: []string{
				"order {order} came today and the lid of the {product} is in four pieces. The box was fine, so it was packed like that.",
				"third attempt, third broken {product}. I begin to take it personally.",
			},
			agent: []string{
				"I am sorry! A new one leaves tomorrow, and you need not send anything back.",
				"that is not how we want to be remembered. Would a refund or another try suit you better?",
			},
		}, {
			subject: "How do I descale the {product}?", worst: 3, best: 5,
			customer: []string{
				"the water here is very hard and after {days} days there is a white crust. Is vinegar all right?",
				"the manual says \"descale regularly\". How often is regularly, and with what?",
			},
			agent: []string{
				"citric acid, two spoons to a litre, once a month. Vinegar works, but the seals do not like it.",
				"every six weeks with hard water. We have put a film on the product's page that shows it.",
			},
		}, {
			subject: "Where is order {order}?", worst: 1, best: 4,
			customer: []string{
				"order {order} has been \"on its way\" for {days} days. On its way where?",
				"the parcel service says delivered, my doormat says otherwise. It was meant to be a present for Saturday.",
			},
			agent: []string{
				"it has been lying in a depot in Leipzig. We have sent another {product} by express; it arrives tomorrow before noon.",
				"the neighbour at number 14 has signed for it. Could you ask there? If not, we will send it again.",
			},
		}},
	}, {
		account:  "northwind-notes",
		products: []string{"Northwind for iOS", "Northwind for Android", "Northwind Desktop", "the web clipper"},
		topics: []topic{{
			subject: "Notes are missing after sync", worst: 1, best: 2,
			customer: []string{
				"I wrote three pages on the train, offline, and when {product} came online they were gone. Help!",
				"{days} notes have vanished from {product}. They are still on my other device, which I do not dare to unlock.",
			},
			agent: []string{
				"they are in the history, under \"conflicts\". We have put them back into your inbox; tonight's release mends it.",
				"nothing is lost, the server has every version. I have restored yesterday evening's state into a folder of its own.",
			},
		}, {
			subject: "Please add tables", worst: 3, best: 5,
			customer: []string{
				"{product} is where my whole life is, except for what belongs in a table. Is it planned?",
				"I would pay twice for simple tables. No formulas, no colours, just rows and columns.",
			},
			agent: []string{
				"it is the most wished for feature, and the beta opens in {days} days. Shall I put you on the list?",
				"not this year, to be honest. I have added your voice to the other 1,204.",
			},
		}, {
			subject: "Charged twice this month", worst: 1, best: 3,
			customer: []string{
				"my card was charged twice on the 3rd, 4.99 each. I have one account and one subscription.",
				"I cancelled {days} days ago, got the confirmation, and was charged this morning all the same.",
			},
			agent: []string{
				"the second payment has been returned; it takes up to five days until your bank shows it. Sorry for the fright.",
				"you are right and we were wrong: refunded, and the subscription is closed now.",
			},
		}, {
			subject: "{product} is slow with big notebooks", worst: 2, best: 4,
			customer: []string{
				"with about 8,000 notes {product} takes nine seconds to open. With 7,000 it took one.",
				"typing lags behind by half a sentence since the last version. Search is fine, oddly.",
			},
			agent: []string{
				"thank you for the profile you sent; the spell checker reads the whole notebook at each key. Fixed in 11.3.",
				"could you switch off \"related notes\" for a day and tell us whether it helps?",
			},
		}},
	},
}

// formerCustomer is a company whose key the provider no longer takes.
var formerCustomer = company{
	account:  "tidewater-outfitters",
	products: []string{"Gale jacket", "Ebb trousers", "Harbour backpack", "Skerry boots"},
	topics: []topic{{
		subject: "Zip of my {product} is stuck", worst: 2, best: 4,
		customer: []string{
			"after {days} days of wearing it the zip will go neither up nor down. I had to climb out of it.",
			"the zip has come off at the bottom. Otherwise I would give it five stars.",
		},
		agent: []string{
			"please send it in, repairs are free for ten years.", "a drop of wax often does it; if not, we sew in another.",
		},
	}},
}

var (
	channels  = []string{"email", "chat", "app store", "survey", "phone"}
	agents    = []string{"Mara", "Joon", "Pelle", "Ines", "Tariq"}
	greetings = []string{"", "", "Hello, ", "Hi there, ", "Good morning, ", "Hey, "}
	farewells = []string{
		"That worked, thank you {agent}!", "Great, thanks a lot.", "I will try that tonight.", "Thanks. Still annoyed, though.",
		"Wow, that was quick 🎉", "OK. Please tell me when it is done.",
	}
	firstNames = []string{
		"Aisha", "Björn", "Camille", "Diego", "Élodie", "Farid", "Grace", "Hana", "Igor", "Jörg", "Kemal", "Łucja", "Mei",
		"Noah", "Olu", "Priya", "Quinn", "Rosa", "Søren", "Tomás", "Uma", "Víctor", "Wanda", "Yuki", "Zoë",
	}
	lastNames = []string{
		"Abernathy", "Bianchi", "Castañeda", "Dubois", "Eriksen", "Fischer", "García", "Hoffmann", "Ito", "Jankowski",
		"Khan", "Lefèvre", "Müller", "Nakamura", "O'Brien", "Petrov", "Quiroga", "Rossi", "Schröder", "Tanaka", "Ueda",
		"Van Dijk", "Yılmaz",
	}
)
