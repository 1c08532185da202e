"""Words that tell names from words, in some twenty languages. Lists only; the rule is elsewhere."""

from dataset.redact.fold import fold_text


def _words(text: str) -> frozenset[str]:
    return frozenset(fold_text(text).split())


WORD_NAMES = _words("""
will mark rose frank grace hope faith joy bill rob jack art dawn drew grant rich sue pat skip
chase hunter mason carter autumn amber ruby pearl iris lily violet daisy ivy olive holly heather
ginger sage angel christian miles dean earl duke prince king queen knight bishop pope abbot
baker cook fisher carpenter tailor parker turner walker potter gardener shepherd page price bond
cash love power powers rice wood woods stone stones hill hills lake lakes river rivers field
fields ford bush forest park parks bridge bridges street streets day days winter winters summer
summers spring snow rain frost storm gale gates gate hall house houses home homes rooms brown
white black green gray grey blue gold silver young old long short small little strong sharp
swift wise good best bright noble moody savage wild sweet hardy haste savvy bliss charity chance
destiny harmony honor justice liberty mercy patience prudence serenity trinity unity verity
victor melody harper archer cooper tanner porter sawyer piper brewer butcher farmer fletcher
thatcher weaver sailor soldier marshal marshall constable sheriff major sergeant general reader
rider ranger roman norman german dutch french english irish scott welsh jordan israel china
india asia robin martin jay wren finch drake crane hawk hawkins crow starling bird birds fox
wolf bear lamb buck colt lion tiger bee fish salmon pike bass herring trout berry cherry peach
plum apple fig clementine basil rosemary parsley coriander saffron pepper salt ash elm oak rowan
hazel birch reed fern heath moss thorn rush branch root leaf flower flowers bloom blossom garden
banks bank barn barnes mills mill wells well pool pond brook brooks shore cliff cliffs dale glen
lane way ways rhodes roads church chapel temple castle tower towers cross moore moor marsh
meadows case cases booth box bell bells ball balls hammer nail sword lance spear shields shield
arms hand hands foot head legg beard hair cheek chin bone bones heart hart soul mind luck
fortune wealth worth penny pound dollar bills marks francs crown rook chess pawn post poster
paper pen pens inks ink books book cage cane cap capps coats coat glass cotton silk velvet lace
wool weeks week month friday sunday monday saturday noon nights early late light lights star
stars sun moon sky heaven heavens cloud clouds wind windy sand sands dust rock rocks clay cole
coal steel iron jewel crystal diamond emerald opal jade ivory coral topaz garnet max min van guy
gene gay randy dick peter pan ray roy don lee les rod tad tom ted vic wade warren wayne ward
webb dirk duncan curt chuck chip bud buddy buster bo blaze blake barb barbie candy candice carol
colleague crispin dolly dot eve fanny fay faye flora fleur gail genius gideon gloria hank harry
herb honey ike jean jeans jenny jersey jet jimmy jo josh junior june kit laurel lark leigh levi
louse mat matt mercedes merry mike mint misty mo mon neat ned nick nova ollie otter otto owen
paris pace percy petal phoenix poppy prim queenie ransom raven ridge rocky rosy rusty sandy
savanna scout shade sherry sid skye sol sonny sterling stew sunny tab tate terry tiffany tilly
trip tripp tuesday tony tyre val vera via viola wanda wendy west winner woody banner barker barr
barrett barry baron bay beam bean beck benson blessed blunt boggs bolt boot bow bowman boyd
brand brandy brave bray breeze brothers buckle bull bullock burns burn burr butler button call
callers carr carver cannon carey cast chambers chandler christmas clapp clark clean click close
clover cobb cock coffee coffey collier colon cone cope corn couch counts court cowell cox craft
cream creek crisp croft crook crouch curry curtain dance daly daniel dark darling dart dash
daily deal dear deed dell dent dial dill dix dodge doll dove downs draft draper drinkwater drum
drummer dumb dunn dyer eagle east easter easy edge else ember ewe fair fall false fan farr fast
fell fellows fine finish first fitch flag flat fleet flint flood flour floyd fly foley folk
folks fort foster found fountain frame francis free freed freeman friend fry full fuller furlong
gain gall gamble game gentle gift gill given glad glover goddess golden goldsmith goose gore
gown grain granger grave graves greet grind grove grub guard guest guide gunn hacker hail hale
ham handy harm harp harsh haven hay hays hazard healy heard hedge helm help herd hero high hood
hooker hooks horn horne horse hound hoyle huff hull humble hunt hurt hyde imp inch innocent
jolly joint jones jump just keen keep key keys kid kidd kind kirk kiss kitchen lad lamp land
lander lash last laugh law laws lawn lay lead leader lean leap leech left lemon less lever lid
lift limb line lines lock lodge loft log loom lord lot loud low lust lynch mace mack maid mail
main mane manual march marine marry mast master masters mate may maze mead means meek merchant
miner mock mole money more morning mount mouse mould mud mule must myth name nash neal neck need
nest new newman news nice nix nobles nose nutt oaks odd offer order organ outlaw over owens pack
paddock paine pain pair palm palmer parish parsons part pass past patch path paul payne peace
peak pear peck peel peer penn person pick pickle piece pierce pill pillow pinch pine pink pipes
pit place plain plant platt play player plummer point pole polite poole poor popular pott pratt
pray press pride priest print prior prize proctor proper proud pryor pugh pull punch purple
purse quick quill quest race rags raise rake ram rand rank rash raw read ready real rebel redd
reel rest rhyme ring rise ritz robe roe rogue role roll rope ross rough round row rowe royal
rude rule ruff run rust rye sadd saddler sail saint sale sales samples sauce sauer save saw say
scales scholar school screen sea seal seals sears seat seed self sell senior serve sewell shadow
shaft shank shaw shell shepard shine ship shirt shoe shook shot show sides silence simple sing
singer single sink skinner slack slate sleep slim slow smart smiles smoke snell snipes soft sole
song soon sorrow sour south spark sparks speak speed spencer spicer spike spires square staff
stack stage stain stamp stamper stand staples starr start steele steep step stern steward
stewart still stock stout stowe strange straw streams stroud stubbs stump style sugar sumner
swan sweeney tack talent tall tank taster teal tell tennant thick thorne thrasher tice tide till
tilt timber time tipper todd toll tongue toy trail trainer trapp travel travers tree trick true
trust tuck tune turn turnbull tuttle twigg twist tyler usher vale valentine valley vance vane
venus verse vest vine visitor voice wages wall walls waltz war warden ware warm warner wash
waters watt watts wave wax weed weir wheat wheeler whip wick wide wife wildman willing winch
wine wing wings wink wire wish witt work workman worm worthy yard yates yeoman yellow yes zest
chen can tan ha dong so do an no in on at as is it he me my we us mai chau hung dung thu phuong
hoa lan linh minh koch bauer richter kaiser könig herzog graf fürst meister schneider fischer
bäcker schmied schreiner maurer gärtner jäger förster hirsch fuchs hase vogel hahn huhn adler
falke falk rabe spatz fink meise käfer sommer herbst frühling sonntag freitag montag morgen
abend nacht tag sonne mond himmel engel teufel kirch kirche berg tal wald busch baum ast blatt
blume rosen stein see bach fluss brunnen haus hof turm tor brücke weg straße stadt dorf feld
wiese groß gross klein lang kurz dünn schwarz weiß weiss braun rot grün gelb blau grau jung alt
neu reich arm stark schnell hell dunkel lustig ernst fröhlich wunder freund feind bruder
schwester vater mutter mann frau herr ritter knecht schäfer hirt hirte kellner kaufmann wirt
binder töpfer schlosser sattler färber glaser spengler pfeifer geiger trommer sänger heiland
kranz krone nagel zange beil axt messer gabel löffel topf kessel hut stiefel sack beutel geld
pfennig heller thaler gulden zucker salz pfeffer honig wein bier brot semmel kuchen wurst
schinken kohl kraut rübe apfel birne kirsche pflaume nuss linde eiche buche birke tanne fichte
dorn distel klee marken heide heidi hanne rosa jasmin erika stella victoria april juni juli
august jan heinz hagen siegel keil keller speicher blanche claire violette marguerite constance
victoire pierre roc rocher blanc brun noir roux petit grand gros legros leblanc leroux leroy roi
moulin boulanger boucher berger charpentier marchand mercier meunier lefevre fabre couturier
tonnelier maréchal chevalier comte duc prévost bailly clerc leclerc moine lemoine abbé pape
évêque dubois bois dupont pont dumont mont duval vallée lacroix croix fontaine rivière lac mer
marin carpentier garnier gardien masson noel noël pascal printemps dimanche lundi janvier avril
juin juillet août automne été hiver aimé aimée désiré content joyeux gentil bon beau lebon
lebeau doux vif lejeune vieux ancien mar luz paz cruz flor blanca clara consuelo dolores
esperanza milagros pilar nieves soledad remedios amparo concepción rosario socorro luna estrella
cielo alba aurora abril julio agosto domingo león lobo cordero vaca toro gallo paloma calle
campo campos prado río ríos ribera lago costa serrano montes monte valle cerro roca piedra arena
iglesia torre torres castillo rey reyes conde duque caballero guerrero soldado pastor molinero
herrero zapatero carnicero cocinero moreno rubio blanco negro rojo verde delgado gordo bravo
bueno cortés franco leal pardo crespo calvo hidalgo merino santos santo santa pascual navidad
gracia gracias pena vega pino robles olmo manzano naranjo rosales flores silva rocha pinto leite
ramos carvalho oliveira pereira figueira nogueira moreira pires leão coelho cordeiro raposo
falcão pinheiro machado serra barros ribeiro lagos fontes pedra bianco bianchi rosso rossi neri
verdi bruno moro longo basso grasso magro forte gentile bello amore leone lupo orso volpe
colombo fiore fiori monti villa fontana ferrari ferraro sarto barbieri conte conti marchese duca
re papa vescovo monaco chiara bianca luce gioia speranza fortuna vittoria grazia mare margherita
gemma perla celeste serena felice leon ada de wit bakker visser smit kuiper mulder meijer koning
prins graaf hertog bisschop vos haan bos dijk dam brug zee water boer groen zwart bruin groot
jong oud kort dekker lund holm dahl lind ek björk gran sten ström sjö strand dal skog kvist blad
blom ros rask modig frisk ung lycke frid ask liv siv vår saga signe per pär kivi mäki koski
järvi lahti ranta salo niemi saari metsä lehto lehti kukka ilta aamu toivo rauha armas onni
lahja taisto taimi kaino impi päivi satu meri tuuli lumi pilvi sini wilk kowal kozioł sikora
wróbel kot lis baran jeleń niedźwiedź zając krawczyk mazur gołąb kos szczygieł róża kwiat dąb
jabłoński biały czarny zielony mały duży wysoki gruby stary nowak nowy wesoły pokora černý bílý
zelený červený malý velký dlouhý krátký starý nový veselý kučera novák kovář krejčí mlynář
sedlák švec tesař zedník řezník hrabě král kníže pán beneš holub vrána sova liška vlk medvěd
zajíc slavík čáp sýkora kohout kříž růžička fiala jelínek hájek zima léto jaro podzim kovács
szabó molnár juhász varga mészáros takács lakatos király vörös fehér fekete nagy kis farkas róka
bárány szűcs balogh sipos virág rózsa tavasz nyár szép boros katona deniz güneş ay yıldız gül
çiçek bahar yaz kış yağmur kar rüzgar toprak su ateş demir taş kaya çelik altın aslan kaplan
kurt doğan şahin kartal arslan umut sevgi barış savaş özgür eylem devrim ezgi melodi şen mutlu
ışık nur er ok yılmaz öz kara ak aydın güler polat tekin bulut вера надежда любовь роза лилия
лев слава мир рада злата заря волк волков медведь заяц кузнец мельник коваль бондарь гончар
белый черный красный роман мороз снег зима лето весна месяц май март август гриб дуб калина
малина вишня верба береза сокол орел ворона голубь соловей воробей журавль лебедь бык баран
козел кот король князь граф барин солдат казак αγάπη ελπίδα ειρήνη σοφία ζωή χαρά νίκη άννα φως
μέρα πέτρα λύκος λέων
""")
"""Names that are words too."""

STARTERS = _words("""
will may mark rose frank hope faith joy bill rob art dawn drew grant rich sue pat skip chase
grace king queen price bond cash love power spring snow rain frost storm long short small little
strong sharp swift wise good best bright noble savage wild sweet hardy chance patience honor
justice mercy harmony major general early late light lights star sun moon case cases bank books
book paper pen max min gene gay don les lee ray van ted tad guy way ways day days week month
friday sunday monday saturday tuesday home house head hand hands heart mind luck fortune worth
penny bills call cast clean click close cover coffee cross daily dark deal dear easy edge else
english fair fall false fast fine finish first flat fly folk folks found free freed full fuller
gain game gentle gift given glad golden green grey gray black white brown blue gold silver young
old help hurt jump just keep keen key kind land last later laugh law lay lead lean leap left
lift line lines lock look lord lot loud low make march master mean means might mine money more
morning mount move must name near need new news next nice night noon now nut odd offer only open
order over own pack pain pair park part pass past peace peak people person pick piece pink place
plain plant play point pole poor pop post pound pray press pride print prior proper proud pull
pure push put quick quit quite raise rare rather raw read ready real red rest ride right ring
rise road rock role roll room round row rule run rush sad safe sail sale sales salt same sand
save say screen sea seal seat see seed self sell send set shade shadow share she ship shop show
sick side silence simple since sing single sit six size skin sleep slim slow smart smoke so soft
some song soon sorry sound south space speak speed spend square staff stage stand start stay
steel step still stock stop straw street style such sugar summer sure swan sword table take
talent talk tall tank tea tell ten test thank that the then there thick thin think this those
thus tide tie till time tip to today toll too top touch town toy track trade train travel tree
trick trip true trust try tune turn twin two type under union unit unity up usher use valley
very via victory view voice vote wait walk wall want war warm wash water waters wave we wear
weather welcome well wells west wet what wheat when where which while whip who whole why wide
wife win wind window wine wing winner winter wire wish with wolf woman wonder wood woods word
work world worthy would write wrong yard year yes yet you zero do no in on at as is it he me an
my us mai can her groß gross klein lang kurz dick schwarz weiss weiß braun rot grün gelb blau
grau jung alt neu reich arm stark schnell hell ernst mann frau herr heute morgen abend sommer
herbst montag freitag sonntag juni juli august april bon beau petit grand gros blanc noir
blanche claire content gentil doux fort vif printemps été automne hiver noël paz luz sol bueno
abril agosto domingo clara leal bravo bruno longo basso grasso magro forte bello amore luce pace
mare serena felice stella vera nova wit groot jong oud kort ung bo per malý velký dlouhý krátký
starý nový veselý zima léto jaro biały czarny mały duży wysoki stary nowy lis baran nagy kis
szép kiss fekete fehér tavasz nyár ay er ok yaz kış gül umut ışık mutlu güler вера надежда
любовь слава мир мороз зима лето весна месяц май март август белый черный красный le la de da du
el al der den ter san st of and i y e di
""")
"""Words among them that sentences often begin with."""

MONTHS = _words("""
may april june august march january september october november december mai juni juli abril
avril jan
""")
"""Names of months."""

PLACES = _words("""
jordan israel china india asia paris georgia chelsea brooklyn austin dallas florence sydney
charlotte victoria madison lincoln jackson washington houston orlando savannah cleveland
carolina dakota virginia montana nevada alexandria adelaide melbourne preston lancaster kent
york chester bristol london england ireland scotland france germany roma siena milan verona
vienna valencia cordoba toledo leon lourdes salvador santiago trinidad cuba martinique bremen
hamburg berlin hannover frankfurt nürnberg wien roman kenya africa america persia sri malta
cypress camden hudson devon phoenix denver aurora memphis troy tyler logan marion warren clifton
salem athens lima quito
""")
"""Names of countries and towns."""

GREETINGS = _words("""
hi hello hey dear thanks thank morning evening afternoon bye goodbye sorry welcome congrats yo
oi hallo moin servus liebe lieber liebes danke tschüss guten morgen abend grüß hoi beste dank
bonjour salut cher chère merci bonsoir coucou hola querido querida gracias buenos ciao caro cara
grazie buongiorno olá obrigado obrigada ahoj čau dobrý milý milá díky děkuji cześć hej drogi
droga dzięki dziękuję szia kedves köszi köszönöm merhaba selam sevgili teşekkürler sayın kära
tack hei kjære kære takk tak moi kiitos bok dragi draga hvala labas ačiū sveiki paldies tere
aitäh bună dragă mulțumesc привет здравствуй здравствуйте спасибо дорогой дорогая уважаемый
уважаемая привіт дякую здравей благодаря γεια ευχαριστώ αγαπητέ αγαπητή
""")
"""What a name follows that is spoken to."""

TITLES = _words("""
mr mrs ms miss mister sir madam dr doctor prof professor herr frau fräulein hr fr mme mlle m
monsieur madame mademoiselle señor señora señorita sr sra srta don doña sig signor signora
signorina dott senhor senhora dona pan pani paní pán slečna bay bayan hanım bey úr asszony fru
herra rouva господин госпожа пан пані г-н г-жа κύριε κυρία κ κος κα uncle aunt tante onkel
cousin brother sister
""")
"""What a name follows that is spoken of."""

ARTICLES = _words("""
an the this that these those my your his her its our their some any no every each one two three
four five six seven eight nine ten several many few more most such what which whose another der
die das den dem des ein eine einen einem einer eines kein keine keinen mein meine dein sein ihr
unser diese dieser dieses jeder jede welche viele le la les un une ce cette mon ma ton ta son sa
notre votre leur el los las unos unas este esta ese esa mi tu su nuestro il lo gli i uno una
questo questa quello mio tuo suo uma uns umas seu sua meu minha het een deze
""")
"""What a name does not follow."""

AT_MONTHS = _words("""
in of by since until till from to next last early late mid this during before after around near
im ab seit bis nach aus vor anfang ende mitte en de du depuis jusque fin début à au desde hasta
em di da do w we z od v ve i fra siden sedan från den
""")
"""What a month follows."""
AT_PLACES = _words("in im en em")
"""What a place follows; of "to", "from" and "by" nobody knows whether a person does."""

DOES = _words("""
is was has had does did says said will would can could should went goes came comes wants wanted
thinks thought told asked wrote writes called calls sent sends knows knew made makes and ist war
hat hatte sagt sagte kann kommt kam geht ging meint fragte schrieb und est était a avait dit
veut peut va vient et es era ha había dice dijo quiere puede y è aveva vuole può viene e disse
jest był była ma powiedział powiedziała je byl byla má řekl řekla van volt mondta on oli sanoi
är var har sa säger er sagde sier og och
""")
"""What a person does; a name stands before it at the beginning of a sentence."""
